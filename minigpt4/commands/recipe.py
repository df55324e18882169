"""The arguments that every command on a recipe takes."""

from typing import Annotated

import typer


RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A shipped recipe, or the path of a YAML file.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a value of the recipe. May be given again."),
]
