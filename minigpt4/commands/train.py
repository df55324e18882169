"""`minigpt4 train`: make models."""

from pathlib import Path
from typing import Annotated

import typer


app = typer.Typer(help="Train a model.")


@app.callback()
def train() -> None:
    """Keeps `nano` a name of its own: typer would drop it while there is one recipe only."""


@app.command()
def nano(
    output: Annotated[
        Path, typer.Option("--output", help="Folder for the model; a build that stopped goes on there.")
    ],
    seed: Annotated[int, typer.Option("--seed", help="Decides the weights, the pictures and their order.")] = 0,
) -> None:
    """Make nano, the model inside this package, again: under an hour on two CPU cores."""
    from minigpt4.training.nano.build import build_nano

    build_nano(output, seed=seed)
