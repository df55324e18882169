"""Boxes of all things of one name, over COCO's validation: the `[detection]` task of MiniGPT-v2."""

from collections.abc import Iterator
from pathlib import Path

from minigpt4.processing.tasks import TASKS as WORDINGS

from .coco import objects_of_kinds, read_pictures
from .task import Sample, Task


def read(root: Path) -> Iterator[Sample]:
    """A question for each picture and each name of its objects."""
    for picture in read_pictures(root, objects=True):
        width, height = picture.size
        for label, objects in objects_of_kinds(picture).items():
            target = {"objects": objects, "width": width, "height": height}
            yield Sample(f"{picture.id} {label}", picture.file, label, target)


TASKS = (
    Task(
        name="detection",
        title="Detection on COCO: average precision at 0.5",
        read=read,
        prompt=WORDINGS["detection"].asked,
        generation={"max_new_tokens": 300},
        metric="detection",
        figure="ap50",
        note="no published figures of MiniGPT-v2. Answers have no confidence, which average precision wants.",
    ),
)
