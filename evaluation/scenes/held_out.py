"""What a model is asked about held-out scenes."""

import random
from collections.abc import Iterator
from itertools import islice

from PIL import Image

from .drawing import draw
from .wording import DETAIL_INSTRUCTIONS, QUESTION_KINDS, Question, ask
from .world import Scene, sample_scenes


QUESTIONS_PER_SCENE = 4


def scene_requests(
    scenes: int, seed: int
) -> tuple[list[Scene], list[Image.Image], list[str], list[tuple[int, Question]]]:
    """Held-out scenes, their pictures, an instruction to describe each, and the questions, each with the number of its scene.
    The kinds of question take turns, so that each is asked equally often."""
    rng = random.Random(f"evaluation {seed}")
    held_out = list(islice(sample_scenes(f"evaluation {seed}", held_out=True), scenes))
    pictures = [draw(scene, rng=rng) for scene in held_out]
    instructions = [rng.choice(DETAIL_INSTRUCTIONS) for _ in held_out]
    asked = [(i, question) for i, scene in enumerate(held_out) for question in _questions(scene, i, rng)]
    return held_out, pictures, instructions, asked


def _questions(scene: Scene, index: int, rng: random.Random) -> Iterator[Question]:
    for turn in range(QUESTIONS_PER_SCENE):
        yield ask(scene, QUESTION_KINDS[(index * QUESTIONS_PER_SCENE + turn) % len(QUESTION_KINDS)], rng)
