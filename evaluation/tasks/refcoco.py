"""RefCOCO, RefCOCO+ and RefCOCOg: the box of what a sentence describes (https://huggingface.co/papers/1608.00272)."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from minigpt4.processing.tasks import TASKS as WORDINGS

from .files import existing, field, image, read_rows
from .task import Published, Sample, Task


# What the published evaluation takes of an `img_id` for the file's name: `COCO_train2014_` and twelve digits.
_NAME = 27
# Set and split, with the figures of MiniGPT-v2 and of its chat model.
SPLITS = {
    ("refcoco", "val"): (88.69, 88.06),
    ("refcoco", "testA"): (91.65, 91.29),
    ("refcoco", "testB"): (85.33, 84.30),
    ("refcoco+", "val"): (79.97, 79.58),
    ("refcoco+", "testA"): (85.12, 85.52),
    ("refcoco+", "testB"): (74.45, 73.32),
    ("refcocog", "val"): (84.44, 84.19),
    ("refcocog", "test"): (84.66, 84.31),
}


def read(root: Path, name: str, split: str) -> Iterator[Sample]:
    """Sentences and boxes of `refcoco/refcoco_val.json` and its like."""
    images = existing(root, "coco/images", "coco/train2014")
    for place, row in read_rows(existing(root, f"{name}/{name}_{split}.json")):
        number = str(field(row, place, "img_id"))
        x, y, width, height = field(row, place, "bbox")
        target = {
            "boxes": [[x, y, x + width, y + height]],
            "width": field(row, place, "width"),
            "height": field(row, place, "height"),
        }
        sentences = field(row, place, "sents")
        sentences = [sentences] if isinstance(sentences, str) else sentences
        for index, sentence in enumerate(sentences):
            file = image(images, f"{number[:_NAME]}.jpg", place)
            yield Sample(f"{place.rpartition(' ')[2]} {number} {index}", file, sentence, target)


TASKS = tuple(
    Task(
        name=f"{name}-{split}",
        title=f"{name}, {split}: IoU above 0.5",
        read=partial(read, name=name, split=split),
        prompt=WORDINGS["refer"].asked,
        metric="grounding_accuracy",
        group=name,
        published=(Published("MiniGPT-v2", figure), Published("MiniGPT-v2 (chat)", chat)),
    )
    for (name, split), (figure, chat) in SPLITS.items()
)
