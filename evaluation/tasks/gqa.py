"""GQA, balanced test-dev (https://huggingface.co/papers/1902.09506)."""

from collections.abc import Iterator
from pathlib import Path

from minigpt4.processing.tasks import TASKS as WORDINGS

from .files import existing, field, image, read_rows
from .task import PLAIN_QUESTION, Published, Sample, Task


def read(root: Path) -> Iterator[Sample]:
    """`testdev_balanced_questions.json`: the official object by question, or the published list with `image`."""
    folder = existing(root, "gqa")
    images = existing(folder, "images")
    for place, row in read_rows(existing(folder, "testdev_balanced_questions.json")):
        name = row["image"] if "image" in row else f"{field(row, place, 'imageId')}.jpg"
        id = str(field(row, place, "id", "question_id")) if {"id", "question_id"} & row.keys() else place
        yield Sample(id, image(images, name, place), field(row, place, "question"), field(row, place, "answer"))


TASKS = (
    Task(
        name="gqa",
        title="GQA, test-dev balanced: exact match",
        read=read,
        prompt=WORDINGS["vqa"].asked,
        plain=PLAIN_QUESTION,
        metric="exact_match_vqa",
        published=(
            Published("MiniGPT-v2", 60.3),
            Published("MiniGPT-v2 (chat)", 58.8),
            Published("MiniGPT-v2 (chat)", 60.1, "later"),
            Published("MiniGPT-4 (13B)", 30.8),
            Published("MiniGPT-4 (ablation)", 32.2),
            Published("MiniGPT-4 without Q-Former", 33.4),
            Published("MiniGPT-4, three layers", 31.0),
            Published("MiniGPT-4, Q-Former trained", 28.0),
            Published("MiniGPT-4, LoRA and VQA data", 43.5),
            Published("InstructBLIP (13B)", 49.5),
            Published("LLaVA (13B)", 41.3),
        ),
        note="for MiniGPT-4 and its ablations: protocol never published; figures made with any other are not comparable.",
    ),
)
