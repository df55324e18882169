"""What is in a box, over COCO's validation: the `[identify]` task of MiniGPT-v2."""

from collections.abc import Iterator
from pathlib import Path

from minigpt4.processing.boxes import format_box
from minigpt4.processing.tasks import TASKS as WORDINGS

from .coco import read_pictures
from .task import Sample, Task


def read(root: Path) -> Iterator[Sample]:
    """A question for each object that is not a crowd."""
    for picture in read_pictures(root, objects=True):
        for number, one in enumerate(picture.objects):
            if not one.get("crowd"):
                box = format_box(one["box"], picture.size)
                yield Sample(f"{picture.id} {number}", picture.file, box, one["label"])


TASKS = (
    Task(
        name="identify",
        title="Identification on COCO: exact match",
        read=read,
        prompt=WORDINGS["identify"].asked,
        metric="exact_match_vqa",
        note="no published figures of MiniGPT-v2. Only COCO's own name counts: a dog that is called a puppy is wrong.",
    ),
)
