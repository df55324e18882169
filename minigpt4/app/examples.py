"""Example pictures: those beside a checkpoint; for nano and nano-v2, the kind of scenes they were trained on."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from PIL import Image

from minigpt4.app.views import data_url, save_view
from minigpt4.evaluation.scenes import draw, sample_scenes
from minigpt4.evaluation.scenes.boxed import draw_boxed, request, sample_boxed_scenes
from minigpt4.hub_cards.embedded import is_embedded
from minigpt4.inference.serving.pictures import read_picture
from minigpt4.processing.boxes import Box, parse_grounding
from minigpt4.processing.drawing import draw_boxes
from minigpt4.processing.tasks import TASKS


DESCRIBE = "Describe this image in detail."
QUESTIONS = (DESCRIBE, "How many objects are there?", DESCRIBE)
FOLDER = "examples"  # beside a checkpoint's config.json


@dataclass(frozen=True)
class Example:
    """
    A picture, and what to say about it.

    Args:
        text (`str`): what to say.
        file (`str`): the picture.
        address (`str`): the same picture as a `data:` address, with the box on it.
        box (`Box`, *optional*): what the text is about, in hundredths.
    """

    text: str
    file: str
    address: str
    box: Box | None = None


def examples_for(checkpoint: str, folder: str, identifiers: Sequence[str] = ()) -> list[Example]:
    """
    The examples of a checkpoint; none where no pictures are known to fit it.

    Args:
        checkpoint (`str`): its folder or Hub id. Of a folder, the pictures in its `examples/`, by name: `cup.png` with what to
            say about it in `cup.txt`, or without that file to be described.
        folder (`str`): where to write the pictures.
        identifiers (`list[str]`, *optional*): the tasks that it knows.

    Raises:
        ValueError, OSError: a file in `examples/` is not a picture.
    """
    if (own := Path(checkpoint) / FOLDER).is_dir():
        asked = _beside(own)
    elif is_embedded(checkpoint):
        asked = _tasks([name for name in TASKS if name in identifiers]) if identifiers else _questions()
    else:
        asked = iter(())
    return [_example(text, picture, folder) for text, picture in asked]


def _example(text: str, picture: Image.Image, folder: str) -> Example:
    meant = parse_grounding(text)
    if not meant.boxes:
        return Example(text, save_view(picture, folder), data_url(picture))
    drawn = draw_boxes(picture, parse_grounding(text, picture.size).phrases)
    return Example(meant.text, save_view(picture, folder), data_url(drawn), meant.boxes[0])


def _beside(folder: Path) -> Iterator[tuple[str, Image.Image]]:
    for file in sorted(folder.iterdir()):
        if file.suffix != ".txt" and not file.name.startswith("."):
            words = file.with_suffix(".txt")
            yield words.read_text(encoding="utf-8").strip() if words.is_file() else DESCRIBE, read_picture(str(file))


def _questions() -> Iterator[tuple[str, Image.Image]]:
    scenes = islice(sample_scenes(seed=0, held_out=True), len(QUESTIONS))
    for index, (text, scene) in enumerate(zip(QUESTIONS, scenes, strict=True)):
        yield text, draw(scene, size=384, rng=random.Random(index))


def _tasks(known: Sequence[str]) -> Iterator[tuple[str, Image.Image]]:
    scenes = islice(sample_boxed_scenes(seed=0, held_out=True), len(known))
    for task, scene in zip(known, scenes, strict=True):
        rng = random.Random(task)
        yield request(scene, task, rng, TASKS[task].form).instruction, draw_boxed(scene, rng, scale=3)
