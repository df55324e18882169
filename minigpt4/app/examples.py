"""Pictures to begin with: drawn scenes, which nano knows; for a model with tasks those with boxes, one for each task."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from PIL import Image

from minigpt4.app.views import data_url, save_view
from minigpt4.evaluation.scenes import draw, sample_scenes
from minigpt4.evaluation.scenes.boxed import draw_boxed, request, sample_boxed_scenes
from minigpt4.processing.tasks import TASKS


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


def draw_examples(folder: str, identifiers: Sequence[str] = ()) -> list[Example]:
    """Examples, with their pictures written into `folder`, for a model with these task identifiers."""
    known = [name for name in TASKS if name in identifiers]
    return [
        Example(text, save_view(picture, folder), data_url(picture))
        for text, picture in (_tasks(known) if known else _questions())
    ]


def _questions() -> Iterator[tuple[str, Image.Image]]:
    scenes = islice(sample_scenes(seed=0, held_out=True), len(QUESTIONS))
    for index, (text, scene) in enumerate(zip(QUESTIONS, scenes, strict=True)):
        yield text, draw(scene, size=384, rng=random.Random(index))


def _tasks(known: Sequence[str]) -> Iterator[tuple[str, Image.Image]]:
    scenes = islice(sample_boxed_scenes(seed=0, held_out=True), len(known))
    for task, scene in zip(known, scenes, strict=True):
        rng = random.Random(task)
        yield request(scene, task, rng, TASKS[task].form).instruction, draw_boxed(scene, rng, scale=3)
