"""VizWiz, validation (https://huggingface.co/papers/1802.08218)."""

from collections.abc import Iterator
from pathlib import Path

from .files import existing, field, image, read_rows
from .task import PLAIN_QUESTION, Published, Sample, Task


def read(root: Path) -> Iterator[Sample]:
    """Questions and answers of `val.json`."""
    folder = existing(root, "vizwiz")
    images = existing(folder, "val", "images")
    for place, row in read_rows(existing(folder, "val.json")):
        name = field(row, place, "image")
        people = [field(one, place, "answer") for one in field(row, place, "answers")]
        yield Sample(name, image(images, name, place), field(row, place, "question"), people)


TASKS = (
    Task(
        name="vizwiz",
        title="VizWiz, val: agreement with ten people",
        read=read,
        prompt="[vqa] The question is '{}' Based on the image, answer the question with a single word or phrase. "
        "and reply 'unanswerable' when the provided information is insufficient",
        plain=PLAIN_QUESTION,
        metric="vizwiz_accuracy",
        published=(
            Published("MiniGPT-v2", 30.3),
            Published("MiniGPT-v2 (chat)", 42.4),
            Published("MiniGPT-v2 (chat)", 53.6, "later"),
        ),
    ),
)
