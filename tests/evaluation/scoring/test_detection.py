"""By hand, and against COCO's program, called as its own guide does."""

import random

import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from minigpt4.evaluation.scoring.detection import score, summarise
from minigpt4.processing.boxes import format_phrase


SIZE = {"width": 100, "height": 100}
DOG, CAT = [10, 10, 50, 50], [60, 60, 90, 90]
TWO = {"objects": [{"label": "Dog", "box": DOG}, {"label": "cat", "box": CAT}], **SIZE}
NOTHING = {"objects": [], **SIZE}


def counts(answer: str, target: dict) -> tuple[int, int, int]:
    figures = score(answer, target)
    return figures["right"], figures["wrong"], figures["missed"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("<p>dog</p> {<10><10><50><50>} <p>cat</p> {<60><60><90><90>}", (2, 0, 0)),
        ("<p>dog</p> {<50><50><10><10>}", (1, 0, 1)),  # reversed corners are put in order
        ("<p>dog</p> {<10><10><50><30>}", (1, 0, 1)),  # IoU of 0.5 is enough, as COCO has it
        ("<p>dog</p> {<10><10><50><29>}", (0, 1, 2)),
        ("<p>dog</p> {<10><10><50><50>}<delim>{<10><10><50><50>}", (1, 1, 1)),
        ("<p>cat</p> {<10><10><50><50>}", (0, 1, 2)),
        ("<p>bird</p> {<10><10><50><50>}", (0, 1, 2)),
        ("{<10><10><50><50>}", (0, 1, 2)),
        ("no dog", (0, 0, 2)),
        ("", (0, 0, 2)),
        ("<p>dog</p> {<10><10><50>", (0, 0, 2)),
    ],
)
def test_right_wrong_and_missed(answer, expected):
    assert counts(answer, TWO) == expected


def test_nothing_to_find():
    assert score("", NOTHING)["score"] == 1
    assert score("<p>dog</p> {<10><10><50><50>}", NOTHING)["score"] == 0
    assert summarise([score("<p>dog</p> {<10><10><50><50>}", NOTHING)])["ap50"] == 0
    assert summarise([]) == {"precision": 0, "recall": 0, "ap50": 0, "n": 0, "boxes": 0, "unparsable": 0}


def test_boxes_in_a_crowd_are_not_counted():
    crowd = {"objects": [{"label": "dog", "box": [0, 0, 100, 100], "crowd": True}], **SIZE}
    assert counts("<p>dog</p> {<10><10><50><50>}<delim>{<60><60><90><90>}", crowd) == (0, 0, 0)


def test_very_many_boxes():
    """COCO counts a hundred in a picture; so do we."""
    answer = "<p>dog</p> " + "<delim>".join(["{<60><60><90><90>}"] * 150 + ["{<10><10><50><50>}"])
    assert counts(answer, TWO) == (0, 100, 2)


def test_average_precision_by_hand():
    """One name; a wrong box before the right one, then one that is right at once: precision 1/2 and 2/3, and at last 2/3 for
    all recalls up to two thirds."""
    dog = {"objects": [{"label": "dog", "box": DOG}], **SIZE}
    scores = [
        score("<p>dog</p> {<60><60><90><90>}<delim>{<10><10><50><50>}", dog),
        score("<p>dog</p> {<10><10><50><50>}", dog),
        score("", dog),
    ]
    summary = summarise(scores)
    assert (summary["precision"], summary["recall"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert summary["ap50"] == pytest.approx(67 / 101 * 2 / 3)  # of 101 recalls, those from 0.00 to 0.66


def test_against_coco():
    rng = random.Random("detection")
    names = ["dog", "cat", "traffic light"]
    targets, said = [], []
    for _ in range(40):
        objects = [{"label": rng.choice(names), "box": random_box(rng)} for _ in range(rng.randrange(5))]
        targets.append({"objects": objects, **SIZE})
        said.append([(one["label"], moved(one["box"], rng)) for one in objects if rng.random() < 0.8])
        said[-1] += [(rng.choice(names), random_box(rng)) for _ in range(rng.randrange(2))]
        rng.shuffle(said[-1])
    answers = [" ".join(format_phrase(name, [box], (100, 100)) for name, box in one) for one in said]
    summary = summarise([score(*pair) for pair in zip(answers, targets, strict=True)])
    assert 0.3 < summary["ap50"] < 0.9
    assert summary["ap50"] == pytest.approx(coco_ap50(said, targets, names))


def random_box(rng: random.Random) -> list[int]:
    x, y = rng.randrange(70), rng.randrange(70)
    return [x, y, x + rng.randrange(10, 30), y + rng.randrange(10, 30)]


def moved(box: list[int], rng: random.Random) -> list[int]:
    x, y = rng.randrange(-4, 5), rng.randrange(-4, 5)
    return [min(max(value, 0), 100) for value in (box[0] + x, box[1] + y, box[2] + x, box[3] + y)]


def coco_ap50(said: list, targets: list[dict], names: list[str]) -> float:
    def as_coco(box):
        return [box[0], box[1], box[2] - box[0], box[3] - box[1]]

    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": index, **SIZE} for index in range(len(targets))],
        "categories": [{"id": names.index(name), "name": name} for name in names],
        "annotations": [
            {"image_id": index, "category_id": names.index(one["label"]), "bbox": as_coco(one["box"]), "iscrowd": 0}
            for index, target in enumerate(targets)
            for one in target["objects"]
        ],
    }
    for number, one in enumerate(truth.dataset["annotations"], start=1):
        one |= {"id": number, "area": one["bbox"][2] * one["bbox"][3]}
    truth.createIndex()
    found = truth.loadRes(
        [
            {"image_id": index, "category_id": names.index(name), "bbox": as_coco(box), "score": 1 / (1 + place)}
            for index, boxes in enumerate(said)
            for place, (name, box) in enumerate(boxes)
        ]
    )
    evaluation = COCOeval(truth, found, "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats[1]
