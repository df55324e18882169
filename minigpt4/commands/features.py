"""`minigpt4 cache-features`: run the frozen towers once, and train without them."""

from minigpt4.commands.console import note
from minigpt4.commands.recipe import RecipeName, Settings


def cache_features(
    name: RecipeName,
    settings: Settings = None,
) -> None:
    """Store what the projection reads of every image of a recipe, in the folder that its key `features` names.

    With the same key, `minigpt4 train` reads it there in place of running the towers. What is stored already stays.
    """
    from accelerate import PartialState

    from minigpt4.training.features import cache_features
    from minigpt4.training.recipe import parse_overrides, read_recipe

    cache = cache_features(read_recipe(name, **parse_overrides(settings or [])))
    if not PartialState().is_main_process:
        return
    size = sum(file.stat().st_size for file in cache.folder.iterdir())
    note(f"The features of {len(cache)} images are in {cache.folder} ({size / 2**20:.1f} MiB).")
