"""`minigpt4 data`: check what a recipe trains on."""

from pathlib import Path
from typing import Annotated

import typer

from minigpt4.commands.console import note
from minigpt4.commands.options import TrustRemoteCode
from minigpt4.commands.recipe_options import RecipeName, Settings, read


app = typer.Typer(help="Check what a recipe trains on.")


@app.callback()
def data() -> None:
    """Keeps `check` a name of its own: typer would drop it while there is one command only."""


@app.command()
def check(
    name: RecipeName,
    settings: Settings = None,
    show: Annotated[
        int, typer.Option("--show", min=0, metavar="N", help="Draw N rows of each set, with their boxes.")
    ] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FOLDER", help="New folder for what --show draws.")
    ] = None,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Read all data that RECIPE trains on and count what cannot be used, without training.

    The exit code is 1 where training would stop: if a set has more broken rows than the recipe's max_broken (1 % by
    default), or a row that training does not skip.
    """
    if bool(show) != (output is not None):
        raise typer.BadParameter("--show N draws into --output FOLDER: give both, or neither")
    if output is not None and output.exists():
        raise FileExistsError(f"{output} exists: name a new folder for the pictures.")
    recipe = read(name, settings, trust_remote_code)
    from minigpt4.training.data.check import check_data

    passed = check_data(recipe, show, output)
    if output is not None and output.is_dir():
        note(f"The pictures are in {output}.")
    if not passed:
        raise typer.Exit(1)
