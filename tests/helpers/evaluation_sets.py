"""Synthetic copies of the published evaluation sets: files of the same names and forms, with pictures of noise."""

import json
import random
from pathlib import Path

from PIL import Image


WIDTH, HEIGHT = 40, 30
ROWS = 6
PICTURES = 3  # fewer than rows: several questions are about one picture
QUESTIONS = (
    "What is it?",
    "Which colour has the thing on the left?",
    "Why?",
    "How many are there of these?",
    "Who?",
    "Is it?",
)


def write_sets(root: Path) -> Path:
    """Write all sets into a folder."""
    for number in range(PICTURES):
        write_picture(root / "coco" / "images" / f"COCO_val2014_{number:012}.jpg", number)
        write_picture(root / "coco" / "images" / f"COCO_train2014_{number + 100:012}.jpg", number + 100)
        write_picture(root / "vizwiz" / "val" / f"VizWiz_val_{number:08}.jpg", number)
        write_picture(root / "gqa" / "images" / f"n{number}.jpg", number)
        write_picture(root / "vsr" / "images" / f"{number:012}.jpg", number)
        write_picture(root / "hateful_memes" / "img" / f"{number:05}.png", number)
        write_picture(root / "iconqa" / "choose_txt" / "val" / str(number) / "image.png", number)
    for ability in ("poem", "humour"):
        write_picture(root / "advanced" / ability / "one.png", len(ability))
    write_okvqa(root)
    write_vizwiz(root)
    write_refcoco(root)
    write_gqa(root)
    write_vsr(root)
    write_hateful_memes(root)
    write_choices(root)
    write_coco(root)
    return root


def write_picture(file: Path, seed: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.frombytes("RGB", (WIDTH, HEIGHT), random.Random(seed).randbytes(WIDTH * HEIGHT * 3)).save(file)


def write_json(file: Path, content) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def people(answers: list[str]) -> list[dict]:
    return [
        {"answer": answer, "answer_confidence": "yes", "answer_id": number} for number, answer in enumerate(answers)
    ]


def write_okvqa(root: Path, answers: dict[int, list[str]] | None = None) -> None:
    answers = answers or {number: ["cat"] * 8 + ["a dog"] * 2 for number in range(ROWS)}
    questions = [
        {"image_id": number % PICTURES, "question": QUESTIONS[number], "question_id": 1000 + number}
        for number in range(ROWS)
    ]
    write_json(root / "okvqa" / "okvqa_test_split.json", questions)
    write_json(root / "okvqa" / "OpenEnded_mscoco_val2014_questions_clean.json", {"questions": questions})
    annotations = [
        {"question_id": 1000 + number, "image_id": number % PICTURES, "answers": people(answers[number])}
        for number in range(ROWS)
    ]
    write_json(root / "okvqa" / "mscoco_val2014_annotations_clean.json", {"annotations": annotations})


def write_vizwiz(root: Path) -> None:
    rows = [
        {
            "image": f"VizWiz_val_{number:08}.jpg",
            "question": QUESTIONS[number],
            "answers": people(["unanswerable"] * 10),
        }
        for number in range(PICTURES)
    ]
    write_json(root / "vizwiz" / "val.json", rows)


def write_refcoco(root: Path) -> None:
    for name, splits in {
        "refcoco": ("val", "testA", "testB"),
        "refcoco+": ("val", "testA", "testB"),
        "refcocog": ("val", "test"),
    }.items():
        for split in splits:
            rows = [
                {
                    "img_id": f"COCO_train2014_{100 + number % PICTURES:012}_{number}",
                    "sents": f"the {split} thing {number}",
                    "bbox": [4.0, 3.0, 20.0, 15.0],
                    "height": HEIGHT,
                    "width": WIDTH,
                }
                for number in range(ROWS)
            ]
            write_json(root / name / f"{name}_{split}.json", rows)


def write_gqa(root: Path) -> None:
    """In the official form."""
    questions = {
        f"20{number}": {"imageId": f"n{number % PICTURES}", "question": QUESTIONS[number], "answer": "yes"}
        for number in range(ROWS)
    }
    write_json(root / "gqa" / "testdev_balanced_questions.json", questions)


def write_lines(file: Path, rows: list[dict]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_vsr(root: Path) -> None:
    rows = [
        {"image": f"{number % PICTURES:012}.jpg", "caption": f"The cat is left of dog {number}.", "label": number % 2}
        for number in range(ROWS)
    ]
    write_lines(root / "vsr" / "test.jsonl", rows)


def write_hateful_memes(root: Path) -> None:
    rows = [
        {"id": 10 + number, "img": f"img/{number:05}.png", "label": number % 2, "text": f"love {{}} number {number}"}
        for number in range(PICTURES)
    ]
    write_lines(root / "hateful_memes" / "dev.jsonl", rows)


def write_choices(root: Path) -> None:
    """IconQA, and A-OKVQA as its authors published it."""
    choices = (["circle", "square"], ["3", "4", "5", "a_b"], ["yes", "no"])
    rows = [
        {"image_id": str(number), "question": QUESTIONS[number], "choices": choices[number], "answer": number % 2}
        for number in range(PICTURES)
    ]
    write_json(root / "iconqa" / "choose_text_val.json", rows)
    rows = [
        {
            "split": "val",
            "image_id": number,
            "question_id": f"q{number}",
            "question": QUESTIONS[number],
            "choices": ["a cat", "a dog", "rain", "the sun in the evening"],
            "correct_choice_idx": number,
            "direct_answers": ["cat"] * 10,
        }
        for number in range(PICTURES)
    ]
    write_json(root / "aokvqa" / "aokvqa_v1p0_val.json", rows)


def write_coco(root: Path) -> None:
    """Annotations of COCO's validation, and a table of synonyms."""
    images = [
        {"id": number, "width": WIDTH, "height": HEIGHT, "file_name": f"COCO_val2014_{number:012}.jpg"}
        for number in range(PICTURES)
    ]
    captions = [
        {"id": number, "image_id": number % PICTURES, "caption": f"A dog and a cat, number {number}. "}
        for number in range(5 * PICTURES)
    ]
    boxes = [[4, 3, 20, 15], [0, 0, 10, 10], [20, 10, 18, 15]]
    objects = [
        {"id": number, "image_id": number, "category_id": 17 + number % 2, "bbox": boxes[number], "iscrowd": 0}
        for number in range(PICTURES)
    ]
    folder = root / "coco" / "annotations"
    write_json(folder / "captions_val2014.json", {"images": images, "annotations": captions})
    categories = [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}]
    write_json(folder / "instances_val2014.json", {"images": images, "annotations": objects, "categories": categories})
    (root / "coco" / "synonyms.txt").write_text("cat, kitten\ndog, puppy\n")
