"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from minigpt4.commands.console import working


def identified(name: str | None) -> str | None:
    """Option callback: the folder or Hub id; refuse what is not a checkpoint, before torch is imported."""
    if name is None:
        return None
    if not name.strip():  # as of a variable that is not set
        raise typer.BadParameter("must not be empty; give a folder or a Hub id, or omit it for nano")
    from minigpt4.checkpoints.identity import identify
    from minigpt4.hub_cards.embedded import embedded

    name = embedded(name)
    with working(f"Looking for {name}"):
        identify(name).base  # noqa: B018  # raises where an adapter's model is not there
    return name


def identified_any(name: str | None) -> str | None:
    """Option callback: the name as it is; refuse what is not a checkpoint of any model, before torch is imported."""
    if name is not None and name.strip():
        from minigpt4.checkpoints.identity import model_type_of
        from minigpt4.hub_cards.embedded import embedded

        if model_type_of(embedded(name)) not in (None, "minigpt4"):
            return name
    identified(name)
    return name


Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="FOLDER_OR_ID",
        help="Folder or Hub id of a checkpoint, or nano-v2. Default: nano.",
        callback=identified,
    ),
]
AnyModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="FOLDER_OR_ID",
        help="Folder or Hub id of any image-text-to-text model, or nano-v2. Default: nano.",
        callback=identified_any,
    ),
]
TrustRemoteCode = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="Run code that comes with the checkpoint for its tokenizer or processors. Default: refuse it.",
    ),
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option("--max-new-tokens", min=1, help="Maximum length of an answer, in tokens. Default: the checkpoint's."),
]


class Precision(StrEnum):
    """What weights can be computed in; `auto` leaves it to `minigpt4.checkpoints.precision`."""

    AUTO, BFLOAT16, FLOAT16, FLOAT32 = "auto", "bfloat16", "float16", "float32"


Dtype = Annotated[
    Precision,
    typer.Option(
        "--dtype",
        help="Precision of the weights. auto: as they are stored, but not float16 on a CPU, which is slow with it.",
    ),
]


def model_name(model: str | None) -> str:
    """What to call the model of `--model`: an embedded one by its name, not its folder."""
    from minigpt4.hub_cards.embedded import nano_path

    if model is None:
        return "nano"
    return Path(model).name if Path(model).parent == nano_path().parent else model


def not_empty(text: str) -> str:
    """Option callback: refuse an empty text."""
    if not text.strip():
        raise typer.BadParameter("must not be empty; ask something about the picture")
    return text
