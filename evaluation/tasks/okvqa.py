"""OK-VQA, test (https://huggingface.co/papers/1906.00067)."""

from collections.abc import Iterator
from pathlib import Path

from minigpt4.processing.tasks import TASKS as WORDINGS

from .files import CocoImages, existing, field, read_rows
from .task import PLAIN_QUESTION, Published, Sample, Task


def read(root: Path) -> Iterator[Sample]:
    """Questions of `okvqa_test_split.json`, answers of the official annotations."""
    folder = existing(root, "okvqa")
    images = CocoImages(root, "coco/images", "coco/val2014")
    answers = {}
    for place, row in read_rows(existing(folder, "mscoco_val2014_annotations_clean.json"), "annotations"):
        people = [field(one, place, "answer") for one in field(row, place, "answers")]
        answers[str(field(row, place, "question_id"))] = people
    for place, row in read_rows(existing(folder, "okvqa_test_split.json"), "questions"):
        number = str(field(row, place, "question_id"))
        if number not in answers:
            raise ValueError(
                f"{place} has the question_id {number}, which the annotations lack: take files of one version."
            )
        yield Sample(number, images(field(row, place, "image_id")), field(row, place, "question"), answers[number])


TASKS = (
    Task(
        name="okvqa",
        title="OK-VQA, test: VQA accuracy",
        read=read,
        prompt=WORDINGS["vqa"].asked,
        plain=PLAIN_QUESTION,
        metric="vqa_accuracy",
        published=(
            Published("MiniGPT-v2", 56.9),
            Published("MiniGPT-v2 (chat)", 55.9),
            Published("MiniGPT-v2 (chat)", 57.8, "later"),
            Published("MiniGPT-4 (13B)", 37.5),
            Published("LLaVA (13B)", 54.4),
        ),
    ),
)
