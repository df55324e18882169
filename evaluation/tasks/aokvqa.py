"""A-OKVQA, validation, multiple choice (https://huggingface.co/papers/2206.01718)."""

from collections.abc import Iterator
from pathlib import Path

from minigpt4.processing.tasks import TASKS as WORDINGS

from .files import CocoImages, existing, field, read_rows
from .task import PLAIN_QUESTION, Published, Sample, Task


def read(root: Path) -> Iterator[Sample]:
    """`aokvqa_v1p0_val.json` as its authors published it."""
    folder = existing(root, "aokvqa")
    images = CocoImages(root, "coco/val2017", "coco/images")
    for place, row in read_rows(existing(folder, "aokvqa_v1p0_val.json")):
        yield Sample(
            str(field(row, place, "question_id")),
            images(field(row, place, "image_id")),
            field(row, place, "question"),
            int(field(row, place, "correct_choice_idx")),
            tuple(field(row, place, "choices")),
        )


TASKS = (
    Task(
        name="aokvqa",
        title="A-OKVQA, val: multiple choice, ranked",
        read=read,
        prompt=WORDINGS["vqa"].asked,
        plain=PLAIN_QUESTION,
        answers="ranking",
        metric="choice_ranking",
        published=(
            Published("MiniGPT-4", 58.2),
            Published("MiniGPT-4 without Q-Former", 56.9),
            Published("MiniGPT-4, three layers", 49.7),
            Published("MiniGPT-4, Q-Former trained", 52.1),
            Published("MiniGPT-4, LoRA and VQA data", 67.2),
        ),
        note="protocol never published; here the choices are ranked by their mean token loss, which is not comparable.",
    ),
)
