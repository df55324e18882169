"""Options that several commands share."""

from typing import Annotated

import typer


def _named(name: str | None) -> str | None:
    """Option callback: refuse an empty name, as of a variable that was not set, in place of taking nano."""
    if name is not None and not name.strip():
        raise typer.BadParameter("it is empty; give a folder or a Hub id, or leave it out for nano")
    return name


Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="FOLDER_OR_ID",
        help="Folder or Hub id of a checkpoint. Default: nano.",
        callback=_named,
    ),
]
TrustRemoteCode = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="Run code that the checkpoint brings for its tokenizer or processors. Without it, such code is refused.",
    ),
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option("--max-new-tokens", min=1, help="Longest answer, in tokens. Default: as the checkpoint says."),
]


def not_empty(text: str) -> str:
    """Option callback: refuse a text without words."""
    if not text.strip():
        raise typer.BadParameter("it is empty; say what you want to know about the picture")
    return text
