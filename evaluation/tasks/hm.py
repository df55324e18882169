"""Hateful Memes, dev (https://huggingface.co/papers/2005.04790)."""

from collections.abc import Iterator
from pathlib import Path

from .files import existing, field, image, read_rows
from .task import Published, Sample, Task


def read(root: Path) -> Iterator[Sample]:
    """Memes of `dev.jsonl`, with the text that is written in them."""
    folder = existing(root, "hateful_memes")
    for place, row in read_rows(existing(folder, "dev.jsonl")):
        file = image(folder, field(row, place, "img"), place)
        text, label = field(row, place, "text"), int(field(row, place, "label"))
        yield Sample(str(field(row, place, "id")), file, text, label, ("yes", "no"))


TASKS = (
    Task(
        name="hm",
        title="Hateful Memes, dev: accuracy",
        read=read,
        # Spelt as published.
        prompt="This is an image writting '{}'. Is this image hateful? Answer yes or no. Answer:",
        answers="text and ranking",
        metric="hateful_memes",
        published=(Published("MiniGPT-v2", 58.2), Published("MiniGPT-v2 (chat)", 59.5)),
    ),
)
