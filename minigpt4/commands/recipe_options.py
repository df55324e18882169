"""The arguments that every command on a recipe takes."""

from pathlib import Path
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
    from minigpt4.training.recipe import read_recipe

    with working("Reading the recipe"):
        return read_recipe(name, **_overrides(settings, trust_remote_code=trust_remote_code, **more))


def check_output(name: str, settings: list[str] | None, resume: bool) -> None:
    """Refuse the folder of a run that cannot be written to, before torch is imported."""
    from minigpt4.training.output_folder import checkpoint_to_resume
    from minigpt4.training.recipe import read_values

    checkpoint_to_resume(Path(read_values(name, **_overrides(settings))["output_dir"]), resume)


def _overrides(settings: list[str] | None, **more: Any) -> dict[str, Any]:
    from minigpt4.training.recipe import parse_overrides

    return parse_overrides(settings or []) | {key: value for key, value in more.items() if value}
