"""Lookups: the barest questions about a scene, from which a language model learns to find objects by their facts."""

import random
from collections.abc import Sequence

from minigpt4.evaluation.scenes.world import NUMBERS, OBJECT_FACTS, WORDS_OF, Scene


# What a lookup asks for, in one word.
LOOKUP_CUES = {"size": "size", "colour": "colour", "shape": "shape", "position": "place"}


def lookup(scene: Scene, rng: random.Random, numbers: Sequence[str] = NUMBERS) -> tuple[str, list[str], str]:
    """A word for what is asked, words that name an object, and the answer: `colour`, `small ring`, `red`."""
    while True:
        obj = rng.choice(scene.objects)
        asked, *facts = rng.sample(OBJECT_FACTS, rng.randint(2, 4))
        values = [getattr(obj, fact) for fact in facts]
        lot = rng.random()
        if lot < 0.3 and rng.random() < 0.6:  # perhaps there is no such object
            values[-1] = rng.choice(WORDS_OF[facts[-1]])
        matching = [
            other for other in scene.objects if all(getattr(other, f) == v for f, v in zip(facts, values, strict=True))
        ]
        if lot < 0.2:
            return "there", values, "Yes" if matching else "No"
        if lot < 0.3:
            return "many", values, numbers[len(matching) - 1] if matching else "no"
        if len({getattr(other, asked) for other in matching}) == 1:
            return LOOKUP_CUES[asked], values, getattr(obj, asked)
