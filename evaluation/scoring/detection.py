"""Named boxes against the right ones: precision, recall and average precision at an IoU of 0.5, by COCO's own program."""

import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

from minigpt4.processing.boxes import parse_grounding

from .summaries import ratio


THRESHOLD = 0.5
MOST_BOXES = 100  # of an answer, as COCO counts


def score(answer: str, target: Mapping[str, Any]) -> dict[str, Any]:
    """
    Compare the named boxes of an answer with the right ones. A box is right where its name is, and IoU is at least 0.5; of two
    for the same object one is wrong.

    Args:
        answer (`str`): the model's: `<p>name</p> {<x1><y1><x2><y2>}<delim>{…}`, in hundredths.
        target (`dict`):
            `objects`, each with `label` and `box` (x1, y1, x2, y2 in pixels), *optional* `crowd` (boxes in it are not counted);
            `width` and `height` of the picture in pixels.

    Returns:
        `dict`: `score`, the harmonic mean of precision and recall, 1.0 where there is nothing to find and nothing is said;
        `right` and `wrong` boxes, `missed` objects; `parsed`, the answer's boxes as `objects`, in their order; `objects`, the
        target's; `unparsable`, whether there is text and no box in it.
    """
    found = parse_grounding(answer, (target["width"], target["height"]))
    parsed = [
        {"label": phrase.phrase, "box": list(map(float, box))} for phrase in found.phrases for box in phrase.boxes
    ]
    sample = {
        "parsed": parsed,
        "objects": [dict(one) for one in target["objects"]],
        "unparsable": bool(answer.strip()) and not parsed,
    }
    counts = _counts(_evaluated([sample]))
    right, wrong, missed = counts
    whole = 2 * right + wrong + missed
    return {
        "score": 2 * right / whole if whole else 1.0,
        "right": right,
        "wrong": wrong,
        "missed": missed,
        **sample,
    }


def summarise(scores: Sequence[Mapping[str, Any]]) -> dict[str, float | int]:
    """
    `precision` and `recall` over all boxes; `ap50`, COCO's average precision at IoU 0.5, a mean over names, 0.0 where nothing is
    to be found; `n`; `boxes`, all of the answers; `unparsable`, answers with text and no box.

    Answers have no confidence: of the boxes in one, an earlier one counts as more certain.
    """
    right, wrong, missed = (sum(one[name] for one in scores) for name in ("right", "wrong", "missed"))
    return {
        "precision": ratio(right, right + wrong),
        "recall": ratio(right, right + missed),
        "ap50": _average_precision(scores),
        "n": len(scores),
        "boxes": sum(len(one["parsed"]) for one in scores),
        "unparsable": sum(one["unparsable"] for one in scores),
    }


def _evaluated(samples: Sequence[Mapping[str, Any]]):
    """COCO's evaluation of these samples, not yet accumulated."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    named = (one for sample in samples for one in (*sample["objects"], *sample["parsed"]))
    names = {name: index for index, name in enumerate(sorted({_name(one) for one in named}), start=1)}
    images = [{"id": index} for index in range(len(samples))]

    def boxes(kind: str) -> list[dict[str, Any]]:
        return [
            {
                "image_id": index,
                "category_id": names[_name(one)],
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": (x2 - x1) * (y2 - y1),
                "iscrowd": int(bool(one.get("crowd"))),
                "score": 1 / (1 + place),
            }
            for index, sample in enumerate(samples)
            for place, one in enumerate(sample[kind])
            for x1, y1, x2, y2 in (one["box"],)
        ]

    def annotations(kind: str) -> COCO:
        made = COCO()
        made.dataset = {
            "images": images,
            "categories": [{"id": index, "name": name} for name, index in names.items()],
            "annotations": [{"id": number, **one} for number, one in enumerate(boxes(kind), start=1)],
        }
        made.createIndex()
        return made

    with redirect_stdout(io.StringIO()):  # it prints how long it takes
        evaluation = COCOeval(annotations("objects"), annotations("parsed"), "bbox")
        evaluation.params.iouThrs = evaluation.params.iouThrs[:1]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, float("inf")]], ["all"]
        evaluation.params.maxDets = [MOST_BOXES]
        evaluation.evaluate()
    return evaluation


def _name(one: Mapping[str, Any]) -> str:
    return " ".join(one["label"].casefold().split())


def _counts(evaluation) -> tuple[int, int, int]:
    """Right and wrong boxes, and missed objects."""
    right = wrong = missed = 0
    for image in filter(None, evaluation.evalImgs):
        counted = ~image["dtIgnore"][0].astype(bool)
        hit = image["dtMatches"][0] > 0
        right += int((hit & counted).sum())
        wrong += int((~hit & counted).sum())
        missed += int(((image["gtMatches"][0] == 0) & (image["gtIgnore"] == 0)).sum())
    return right, wrong, missed


def _average_precision(samples: Sequence[Mapping[str, Any]]) -> float:
    if not any(one["objects"] for one in samples):
        return 0.0
    evaluation = _evaluated(samples)
    with redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    precision = evaluation.eval[
        "precision"
    ]  # thresholds, recalls, names, areas, numbers of boxes; -1 for a name not to be found
    known = precision[precision > -1]
    return float(known.mean()) if known.size else 0.0
