"""`minigpt4 cache-features`: run the frozen towers once, and train without them."""

from minigpt4.commands.console import note
from minigpt4.commands.options import TrustRemoteCode
from minigpt4.commands.recipe_options import RecipeName, Settings, read


def cache_features(
    name: RecipeName,
    settings: Settings = None,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Cache the input of the projection for every image of a recipe, in the folder named by its key `features`.

    With the same key, `minigpt4 train` reads the cache instead of running the towers. Cached images are kept.
    """
    recipe = read(name, settings, trust_remote_code)
    from accelerate import PartialState

    from minigpt4.training.data.features import cache_features

    cache = cache_features(recipe)
    if not PartialState().is_main_process:
        return
    size = sum(file.stat().st_size for file in cache.folder.iterdir())
    note(f"The features of {len(cache)} images are in {cache.folder} ({size / 2**20:.1f} MiB).")
