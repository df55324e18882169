"""`minigpt4 cache-features`: run the frozen towers once, and train without them."""

from typing import Annotated

import typer

from minigpt4.commands.console import note


def cache_features(
    name: Annotated[str, typer.Argument(metavar="RECIPE", help="A shipped recipe, or the path of a YAML file.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace a value of the recipe. May be given again."),
    ] = None,
) -> None:
    """Store what the projection reads of every image of a recipe, in the folder that its key `features` names.

    With the same key, `minigpt4 train` reads it there in place of running the towers. What is stored already stays.
    """
    from minigpt4.training.features import cache_features
    from minigpt4.training.recipe import parse_overrides, read_recipe

    cache = cache_features(read_recipe(name, **parse_overrides(settings or [])))
    size = sum(file.stat().st_size for file in cache.folder.iterdir())
    note(f"The features of {len(cache)} images are in {cache.folder} ({size / 2**20:.1f} MiB).")
