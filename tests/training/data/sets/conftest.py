"""Small copies of every published set: the same files, fields and folders, a few rows each."""

import io
import json
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image


IMAGE_SIZE = (200, 100)
ANSWERS = ["Red!"] * 6 + ["dark red"] * 4
TALK = [
    {"from": "human", "value": "<image>\nWhat is it?"},
    {"from": "gpt", "value": "It is a Cat."},
    {"from": "human", "value": "Sure?"},
    {"from": "gpt", "value": "Yes (quite)."},
]


def coco(number: int, split: str = "train") -> str:
    return f"COCO_{split}2014_{number:012d}.jpg"


def instances(rows: int) -> dict:
    width, height = IMAGE_SIZE
    return {
        "images": [
            {"id": number, "file_name": coco(number), "width": width, "height": height} for number in range(rows)
        ],
        "annotations": [
            {"id": 10 + number, "image_id": number, "bbox": [20.5, 10.0, 100.0, 45.0]} for number in range(rows)
        ],
    }


def ref(number: int, split: str = "train") -> dict:
    return {
        "ref_id": number,
        "ann_id": 10 + number,
        "image_id": number,
        "split": split,
        "file_name": coco(number).replace(".jpg", f"_{number}.jpg"),
        "sentences": [
            {"sent_id": 0, "raw": "The LEFT cat!", "sent": "the left cat", "tokens": ["the", "left", "cat"]},
            {"sent_id": 1, "raw": "cat", "sent": "cat", "tokens": ["cat"]},
        ],
    }


def write_json(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write_images(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", IMAGE_SIZE, "red").save(path)


def write_shard(path: Path, samples: list[tuple[str, dict]], **exif) -> None:
    """Write a shard as img2dataset does: of each sample a picture, its JSON and its caption."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = io.BytesIO()
    Image.new("RGB", IMAGE_SIZE, "red").save(picture, "JPEG", **exif)
    with tarfile.open(path, "w") as tar:
        for key, annotation in samples:
            parts = {"jpg": picture.getvalue(), "json": json.dumps(annotation).encode(), "txt": b"its caption"}
            for ending, content in parts.items():
                member = tarfile.TarInfo(f"{key}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


# As img2dataset writes GRIT: positions are numbers with a point, boxes are shares, the last number is a confidence.
GRIT = {
    "caption": "A Dog and two cats, on <a> mat",
    "width": IMAGE_SIZE[0],
    "height": IMAGE_SIZE[1],
    "noun_chunks": [
        [10.0, 18.0, 0.5, 0.25, 0.75, 0.5, 0.9],
        [0.0, 5.0, 0.125, 0.0, 0.25, 1.0, 0.7],
        [10.0, 18.0, 0.75, 0.25, 1.0, 0.5, 0.8],
        [14.0, 18.0, 0.5, 0.25, 0.75, 0.5, 0.8],
    ],
    "ref_exps": [
        [10.0, 30.0, 0.5, 0.25, 0.75, 0.5, 0.9],
        [10.0, 30.0, 0.75, 0.25, 1.0, 0.5, 0.8],
        [0.0, 30.0, 0.125, 0.0, 0.25, 1.0, 0.7],
    ],
}


def write_published(root: Path, rows: int = 3) -> Path:
    """Write `rows` rows of each set, and more where the published training leaves some out."""
    every = range(rows)
    write_images(root / "coco/images", *map(coco, every), *(f"COCO_train2014_{number}.jpg" for number in every))
    captions = [
        {"image": f"train2014/{coco(n)}", "caption": "A red, RED: box. ", "image_id": f"coco_{n}"} for n in every
    ]
    captions.append({"image": f"val2014/{coco(99, 'val')}", "caption": "not of train2014", "image_id": "coco_99"})
    write_json(root / "coco_captions/annotations/coco_karpathy_train.json", captions)

    write_images(root / "textcaps/train_images", *(f"t{number}.jpg" for number in every))
    texts = [{"image_id": f"t{number}", "caption_str": "A sign (old)."} for number in every]
    write_json(root / "textcaps/TextCaps_0.1_train.json", {"data": texts})

    write_images(root / "cc_sbu_align/image", *(f"{number}.jpg" for number in every))
    described = [{"image_id": str(number), "caption": "The image shows: Red."} for number in every]
    write_json(root / "cc_sbu_align/filter_cap.json", {"annotations": described})

    asked = [
        {"image": f"train2014/{coco(n)}", "question": "What COLOUR is it?", "question_id": n, "answer": ANSWERS}
        for n in every
    ]
    write_json(root / "vqav2/vqa_train.json", asked)
    write_json(root / "okvqa/okvqa_train.json", asked)
    aok = [{"image_id": n, "question": "What COLOUR is it?", "direct_answers": ANSWERS} for n in every]
    write_json(root / "aokvqa/aokvqa_v1p0_train.json", aok)

    write_images(root / "gqa/images", *(f"{number}.jpg" for number in every))
    gqa = [{"image": f"{number}.jpg", "question": "Is it red?", "answer": "yes"} for number in every]
    write_json(root / "gqa/train_balanced_questions.json", gqa)

    write_images(root / "ocrvqa/images", *(f"07{number}.jpg" for number in every))
    books = {
        f"07{number}": {
            "imageURL": "http://example.com/images/I/51x.jpg",
            "questions": ["Who wrote this book?"],
            "answers": ["A. Writer"],
            "split": 1 if number < rows else 3,
        }
        for number in range(rows + 1)
    }
    write_json(root / "ocrvqa/dataset.json", books)

    for folder, name in (("refcoco", "refs(unc).p"), ("refcoco+", "refs(unc).p"), ("refcocog", "refs(umd).p")):
        write_json(root / "refcoco_annotations" / folder / "instances.json", instances(rows))
        refs = [*(ref(number) for number in every), ref(0, split="val")]
        (root / "refcoco_annotations" / folder / name).write_bytes(pickle.dumps(refs, protocol=2))

    write_images(root / "visual_genome", *(f"VG_100K{'_2' * (n % 2)}/{n}.jpg" for n in every))
    region = {"region_id": 7, "phrase": "A shiny Wheel.", "x": 20, "y": 10, "width": 50, "height": 80}
    regions = [
        {"id": n, "regions": [{**region, "image_id": n}, {**region, "image_id": n, "width": 205}]} for n in every
    ]
    write_json(root / "visual_genome/region_descriptions.json", regions)
    address = "https://cs.stanford.edu/people/rak248/"
    genome = [
        {"image_id": n, "url": f"{address}VG_100K{'_2' * (n % 2)}/{n}.jpg", "width": 200, "height": 100} for n in every
    ]
    write_json(root / "visual_genome/image_data.json", genome)

    write_images(root / "filtered_flickr/images", *(f"{number}.jpg" for number in every))
    grounded = "<p>A man</p> {<10><20><30><40>} runs."
    for name, fields in {
        "groundedcaption": {"grounded_caption": grounded},
        "captiontobbox": {"caption": "A man runs.", "output": "<p>A man</p> {<10><20><30><40>}"},
        "phrasetobbox": {"phrase": "A man", "bbox": "{<10><20><30><40>}<delim>{<1><2><3><4>}"},
    }.items():
        write_json(root / f"filtered_flickr/{name}.json", [{"image_id": str(n), **fields} for n in every])

    for name in (
        "llava/conversation_58k",
        "llava/detail_23k",
        "llava/complex_reasoning_77k",
        "multitask_conversation/multitask_conversation",
    ):
        turns = TALK if "conversation" in name else TALK[:2]
        write_json(root / f"{name}.json", [{"id": f"{n:012d}", "conversations": turns} for n in every])
    instance = {"instruction_with_input": "Say: hello.", "constraints": "One word.", "output": "Hello!"}
    write_json(
        root / "unnatural_instructions/filtered_unnatural_instruction.json", [{"instances": [instance]} for _ in every]
    )

    for name in ("laion/laion_dataset/00000", "cc_sbu/cc_sbu_dataset/00000"):
        write_shard(root / f"{name}.tar", [(f"{n:08}", {"caption": "A red, RED: box. "}) for n in every])
    write_shard(root / "grit/00000.tar", [(f"{n:08}", GRIT) for n in every])
    return root


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Indexes of these copies are of no use to anybody else."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.getbasetemp() / "datasets")


@pytest.fixture(scope="session")
def published_once(tmp_path_factory) -> Path:
    """The folder of all sets. For tests that change nothing in it."""
    return write_published(tmp_path_factory.mktemp("published"))


@pytest.fixture
def published(tmp_path) -> Path:
    """A folder of all sets to damage."""
    return write_published(tmp_path / "published", rows=1)


@pytest.fixture(scope="session")
def write_sets() -> Callable:
    return write_published
