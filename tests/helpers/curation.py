"""Running recipes of curation."""

import os
from collections.abc import Callable

from benchmarks.forking import fork
from minigpt4.curation import run


# No rule of the filter.
LOOSE = {"failures": False, "leftovers": False, "min_words": None, "similar_images": None, "similar_texts": None}


def run_all(recipe, *steps, **options) -> dict:
    """Run a recipe; gives the counts of each step."""
    return dict(run(recipe, steps, **options))


def ends_of_fork(act: Callable[[], object]) -> int:
    """How a process of its own ends that does something and is killed by it."""
    child = fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
