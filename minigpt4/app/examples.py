"""Pictures to begin with: drawn scenes, which nano knows."""

import random
from dataclasses import dataclass
from itertools import islice

from minigpt4.app.views import data_url, save_view
from minigpt4.evaluation.scenes import draw, sample_scenes


QUESTIONS = (
    "Describe this image in detail.",
    "How many objects are there?",
    "Describe this image in detail.",
)


@dataclass(frozen=True)
class Example:
    """What to say about a picture, which is a file; `address` holds the same picture."""

    text: str
    file: str
    address: str


def draw_examples(folder: str) -> list[Example]:
    """Examples, with their pictures written into `folder`."""
    scenes = islice(sample_scenes(seed=0, held_out=True), len(QUESTIONS))
    pictures = [draw(scene, size=384, rng=random.Random(index)) for index, scene in enumerate(scenes)]
    return [
        Example(text, save_view(picture, folder), data_url(picture))
        for text, picture in zip(QUESTIONS, pictures, strict=True)
    ]
