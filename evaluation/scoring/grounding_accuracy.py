"""Whether the box of an answer is where the described thing is, as RefCOCO measures it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from minigpt4.evaluation.boxes import iou
from minigpt4.processing.boxes import SCALE, parse_grounding

from .summaries import mean_of


THRESHOLD = 0.5
_PUBLISHED_BOX = re.compile(r"\{<\d{1,3}><\d{1,3}><\d{1,3}><\d{1,3}>\}")


def score(answer: str, target: Mapping[str, Any], *, published: bool = False) -> dict[str, Any]:
    """
    Compare the boxes of an answer with the right ones.

    Boxes are paired one to one, the best pairs first. An answer is right where every right box is paired with an IoU
    above 0.5 and no box is left over: more guesses are no better.

    Args:
        answer (`str`): the model's, with boxes as `{<x1><y1><x2><y2>}` in hundredths.
        target (`dict`): `boxes`, a list of x1, y1, x2, y2 in pixels; `width` and `height` of the picture in pixels.
        published (`bool`, *optional*, defaults to `False`):
            Score as the published MiniGPT-v2 evaluation does: after removal of spaces and `<unk>` the answer must begin with a
            box, have four integers in all, and a corner counts as a pixel, which makes the IoU of small boxes larger. There
            is one right box.

    Returns:
        `dict`: `score`, 1.0 or 0.0; `iou`, the mean over pairs, 0.0 for a box without another; `parsed`, the answer's boxes in
        pixels, `None` where there is none; `corrected`, whether a box had reversed corners or lay beyond 0 to 100.

    Raises:
        ValueError: no right box, or, with `published`, several.
    """
    right, size = target["boxes"], (target["width"], target["height"])
    if not right or (published and len(right) > 1):
        raise ValueError(
            f"grounding_accuracy needs {'one box' if published else 'boxes'} in its target (got {right})."
        )
    if published:
        return _published(answer, right[0], size)
    found = parse_grounding(answer, size)
    boxes = [list(map(float, box)) for box in found.boxes]
    overlaps = pair(boxes, right)
    whole = max(len(boxes), len(right))
    hit = len(boxes) == len(right) == sum(overlap > THRESHOLD for overlap in overlaps.values())
    corrected = any("outside" in problem or "reversed" in problem for problem in found.problems)
    return {
        "score": float(hit),
        "iou": sum(overlaps.values()) / whole,
        "parsed": boxes or None,
        "corrected": corrected,
    }


def pair(boxes: Sequence[Sequence[float]], right: Sequence[Sequence[float]]) -> dict[tuple[int, int], float]:
    """Pairs of boxes that overlap, each box in one at most, the best first: (index, index of the right one) -> IoU."""
    candidates = ((iou(box, one), i, j) for i, box in enumerate(boxes) for j, one in enumerate(right))
    pairs: dict[tuple[int, int], float] = {}
    for overlap, i, j in sorted(candidates, key=lambda candidate: -candidate[0]):
        if overlap > 0 and all(i != one and j != other for one, other in pairs):
            pairs[i, j] = overlap
    return pairs


def _published(answer: str, right: Sequence[float], size: tuple[int, int]) -> dict[str, Any]:
    text = answer.replace("<unk>", "").replace(" ", "").strip()
    numbers = [int(digits) for digits in re.findall(r"\d+", text)]
    if not _PUBLISHED_BOX.match(text) or len(numbers) != 4:
        return {"score": 0.0, "iou": 0.0, "parsed": None, "corrected": False}
    box = [number / SCALE * side for number, side in zip(numbers, size * 2, strict=True)]
    overlap = iou(box, right, whole_pixels=True)
    return {"score": float(overlap > THRESHOLD), "iou": overlap, "parsed": [box], "corrected": False}


def summarise(scores: Sequence[Mapping[str, Any]]) -> dict[str, float | int]:
    """`accuracy`, `mean_iou`, `n`, `unparsable` (answers without a box), `several` (with more than one), `corrected`."""
    return {
        "accuracy": mean_of(scores),
        "mean_iou": mean_of(scores, "iou"),
        "n": len(scores),
        "unparsable": sum(not one["parsed"] for one in scores),
        "several": sum(len(one["parsed"] or ()) > 1 for one in scores),
        "corrected": sum(one["corrected"] for one in scores),
    }
