"""The arguments that every command on a recipe takes."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from minigpt4.commands.console import working


if TYPE_CHECKING:
    from minigpt4.training.recipe import Recipe


RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A shipped recipe, or the path of a YAML file.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a value of the recipe. Can be repeated."),
]


def read(name: str, settings: list[str] | None, trust_remote_code: bool, **more: Any) -> "Recipe":
    """The recipe, with the values of the command line in place of its own."""
    from minigpt4.training.recipe import parse_overrides, read_recipe

    options = {key: value for key, value in {"trust_remote_code": trust_remote_code, **more}.items() if value}
    with working("Reading the recipe"):
        return read_recipe(name, **(parse_overrides(settings or []) | options))
