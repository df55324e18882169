"""Running recipes of curation."""

from minigpt4.curation import run


# No rule of the filter.
LOOSE = {"failures": False, "leftovers": False, "min_words": None, "similar_images": None, "similar_texts": None}


def run_all(recipe, *steps, **options) -> dict:
    """Run a recipe; gives the counts of each step."""
    return dict(run(recipe, steps, **options))
