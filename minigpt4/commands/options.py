"""Options that several commands share."""

from typing import Annotated

import typer


Model = Annotated[
    str | None,
    typer.Option("--model", metavar="FOLDER_OR_ID", help="Folder or Hub id of a checkpoint. Default: nano."),
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
