"""IconQA, validation of the part with choices of text (https://huggingface.co/papers/2110.13214)."""

from collections.abc import Iterator
from pathlib import Path

from minigpt4.processing.tasks import TASKS as WORDINGS

from .files import existing, field, image, read_rows
from .task import PLAIN_QUESTION, Published, Sample, Task


def read(root: Path) -> Iterator[Sample]:
    """Questions of `choose_text_val.json`; each has a folder with its picture."""
    folder = existing(root, "iconqa")
    images = existing(folder, "choose_txt/val", "val", "images")
    for place, row in read_rows(existing(folder, "choose_text_val.json")):
        number = str(field(row, place, "image_id"))
        # As published: choices are joined and split by `_`, so that one that contains it becomes two.
        choices = "_".join(map(str, field(row, place, "choices"))).split("_")
        yield Sample(
            f"{place.rpartition(' ')[2]} {number}",
            image(images, f"{number}/image.png", place),
            field(row, place, "question"),
            int(field(row, place, "answer")),
            choices,
        )


TASKS = (
    Task(
        name="iconqa",
        title="IconQA, val: ranked choices",
        read=read,
        prompt=WORDINGS["vqa"].asked,
        plain=PLAIN_QUESTION,
        answers="ranking",
        metric="choice_ranking",
        published=(
            Published("MiniGPT-v2", 47.7),
            Published("MiniGPT-v2 (chat)", 49.4),
            Published("MiniGPT-4 (13B)", 37.6),
            Published("InstructBLIP (13B)", 44.8),
            Published("LLaVA (13B)", 43.0),
        ),
    ),
)
