"""Sets of questions with short answers: VQAv2, OK-VQA, A-OKVQA, GQA, OCR-VQA."""

import random
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from minigpt4.checkpoints.strangers import read_json
from minigpt4.processing.tasks import TASKS
from minigpt4.training.row import Row

from .annotations import NUMBER, TEXT, TEXTS, Annotation, PlacedAnnotation
from .images import named, without_folders
from .published_set import PublishedSet, ask
from .text import clean_caption, draw_answer


def _ask(row: Annotation, answer: str, rng: random.Random) -> Row:
    return ask(rng.choice(TASKS["vqa"].forms).format(clean_caption(row["question"])), clean_caption(answer))


def _one_of(row: Annotation, rng: random.Random, field: str) -> Row:
    return _ask(row, draw_answer(row[field], rng), rng)


def _only(row: Annotation, rng: random.Random) -> Row:
    return _ask(row, row["answer"], rng)


def _aok_images(row: Annotation) -> list[str]:
    # The authors' own file has COCO's number only.
    return without_folders(row) if "image" in row else named(row, "COCO_train2014_{image_id:012d}.jpg")


def _not_for_training(row: Annotation) -> str | None:
    return None if row["split"] == 1 else "not of the split for training"


def _read_ocrvqa(path: Path) -> Iterator[PlacedAnnotation]:
    books = read_json(path)
    if not isinstance(books, Mapping):
        raise ValueError(f"{path} is not an object with a book under each key, as published: is it another file?")
    for key, book in books.items():
        where = f"{path.name}, key {key}"
        try:
            extension = PurePosixPath(urlsplit(book["imageURL"]).path).suffix
            pairs = list(zip(book["questions"], book["answers"], strict=True))
            shared = {"image": key + extension, "split": book["split"]}
        except (KeyError, TypeError, ValueError):
            yield where, book
            continue
        for number, (question, answer) in enumerate(pairs, start=1):
            yield f"{where}, question {number}", {**shared, "question": question, "answer": answer}


QUESTION_SETS = {
    "coco_vqa": PublishedSet(
        task="vqa",
        files=("vqav2/vqa_train.json",),
        fields={"image": TEXT, "question": TEXT, "answer": TEXTS},
        make=partial(_one_of, field="answer"),
        images="coco/images",
        image_paths=without_folders,
    ),
    "ok_vqa": PublishedSet(
        task="vqa",
        files=("okvqa/okvqa_train.json",),
        fields={"image": TEXT, "question": TEXT, "answer": TEXTS},
        make=partial(_one_of, field="answer"),
        images="coco/images",
        image_paths=without_folders,
    ),
    "aok_vqa": PublishedSet(
        task="vqa",
        files=("aokvqa/aokvqa_v1p0_train.json",),
        fields={"question": TEXT, "direct_answers": TEXTS},
        make=partial(_one_of, field="direct_answers"),
        images="coco/images",
        image_paths=_aok_images,
    ),
    "gqa": PublishedSet(
        task="vqa",
        files=("gqa/train_balanced_questions.json",),
        fields={"image": TEXT, "question": TEXT, "answer": TEXT},
        make=_only,
        images="gqa/images",
        image_paths=partial(named, pattern="{image}"),
    ),
    "ocrvqa": PublishedSet(
        task="vqa",
        files=("ocrvqa/dataset.json",),
        fields={"image": TEXT, "question": TEXT, "answer": TEXT, "split": NUMBER},
        make=_only,
        images="ocrvqa/images",
        image_paths=partial(named, pattern="{image}"),
        read=_read_ocrvqa,
        left_out=_not_for_training,
    ),
}
