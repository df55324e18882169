"""Sets of questions with short answers: VQAv2, OK-VQA, A-OKVQA, GQA, OCR-VQA."""

import random
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from .annotations import NUMBER, TEXT, TEXTS, PlacedRow, Row, read_json
from .images import last_part
from .published_set import PublishedSet, ask
from .text import clean_caption, draw_answer


FORMS = ("[vqa] {}", "[vqa] Based on the image, respond to this question with a short answer: {}")


def _ask(row: Row, answer: str, rng: random.Random) -> dict:
    return ask(rng.choice(FORMS).format(clean_caption(row["question"])), clean_caption(answer))


def _one_of(field: str):
    def make(row: Row, rng: random.Random) -> dict:
        return _ask(row, draw_answer(row[field], rng), rng)

    return make


def _only(row: Row, rng: random.Random) -> dict:
    return _ask(row, row["answer"], rng)


def _aok_images(row: Row) -> list[str]:
    # The authors' own file has COCO's number only.
    return [last_part(row["image"]) if "image" in row else f"COCO_train2014_{row['image_id']:012d}.jpg"]


def _read_ocrvqa(path: Path) -> Iterator[PlacedRow]:
    books = read_json(path)
    if not isinstance(books, Mapping):
        raise ValueError(f"{path} is no object with a book under each key, as it was published: is it another file?")
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
        make=_one_of("answer"),
        images="coco/images",
        image_paths=lambda row: [last_part(row["image"])],
    ),
    "ok_vqa": PublishedSet(
        task="vqa",
        files=("okvqa/okvqa_train.json",),
        fields={"image": TEXT, "question": TEXT, "answer": TEXTS},
        make=_one_of("answer"),
        images="coco/images",
        image_paths=lambda row: [last_part(row["image"])],
    ),
    "aok_vqa": PublishedSet(
        task="vqa",
        files=("aokvqa/aokvqa_v1p0_train.json",),
        fields={"question": TEXT, "direct_answers": TEXTS},
        make=_one_of("direct_answers"),
        images="coco/images",
        image_paths=_aok_images,
    ),
    "gqa": PublishedSet(
        task="vqa",
        files=("gqa/train_balanced_questions.json",),
        fields={"image": TEXT, "question": TEXT, "answer": TEXT},
        make=_only,
        images="gqa/images",
        image_paths=lambda row: [row["image"]],
    ),
    "ocrvqa": PublishedSet(
        task="vqa",
        files=("ocrvqa/dataset.json",),
        fields={"image": TEXT, "question": TEXT, "answer": TEXT, "split": NUMBER},
        make=_only,
        images="ocrvqa/images",
        image_paths=lambda row: [row["image"]],
        read=_read_ocrvqa,
        left_out=lambda row: None if row["split"] == 1 else "not of the split for training",
    ),
}
