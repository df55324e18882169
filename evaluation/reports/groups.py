"""Samples of a result in groups, and the mean score of each group: by length of the answer, size of the object, kind."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple


Sample = Mapping[str, Any]
LENGTHS = 5
# Shares of the picture's area; COCO's own limits are in pixels, which say little of pictures of other sizes.
SIZES = ((0.02, "below 2 %"), (0.1, "2 to 10 %"), (0.3, "10 to 30 %"), (math.inf, "30 % and more"))
FEWEST_GROUPS = 2


class Bar(NamedTuple):
    """A group's mean score in the unit of the result, its interval of 95 %, and how many samples it has."""

    label: str
    value: float
    low: float
    high: float
    n: int


def score_of(sample: Sample) -> float | None:
    """A sample's score; `None` where nobody has judged it."""
    score = sample["scores"].get("score")
    return None if score is None else float(score)


def bar(label: str, samples: Iterable[Sample], scale: float) -> Bar | None:
    """The mean of the scores of these samples, with the normal interval; `None` without a score."""
    scores = [score * scale for sample in samples if (score := score_of(sample)) is not None]
    if not scores:
        return None
    mean = sum(scores) / len(scores)
    variance = sum((score - mean) ** 2 for score in scores) / max(1, len(scores) - 1)
    half = 1.96 * math.sqrt(variance / len(scores))
    return Bar(label, mean, mean - half, mean + half, len(scores))


def by_length(samples: Sequence[Sample], scale: float) -> list[Bar]:
    """In groups of about the same number of samples, by the words of the answer; one length is in one group only."""
    lengths = sorted(
        (len(sample["answer"].split()), index) for index, sample in enumerate(samples) if "answer" in sample
    )
    if not lengths:
        return []
    groups: dict[tuple[int, int], list[Sample]] = {}
    begin = 0
    for part in range(1, LENGTHS + 1):
        end = max(begin, round(part * len(lengths) / LENGTHS))
        while 0 < end < len(lengths) and lengths[end][0] == lengths[end - 1][0]:
            end += 1
        if end > begin:
            groups[lengths[begin][0], lengths[end - 1][0]] = [samples[index] for _, index in lengths[begin:end]]
            begin = end
    return _bars(((_words(*edges), group) for edges, group in groups.items()), scale)


def by_size(samples: Sequence[Sample], scale: float) -> list[Bar]:
    """By the mean share of the picture that the right boxes take."""
    groups: dict[str, list[Sample]] = {label: [] for _, label in SIZES}
    for sample in samples:
        if (share := _share(sample.get("target"))) is not None:
            groups[next(label for limit, label in SIZES if share < limit)].append(sample)
    return _bars(groups.items(), scale)


def by_kind(samples: Sequence[Sample], scale: float) -> list[Bar]:
    """By the kind of question, of tasks that have several."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.get("kind"):
            groups.setdefault(sample["kind"], []).append(sample)
    return _bars(groups.items(), scale)


GROUPINGS: dict[str, Callable[[Sequence[Sample], float], list[Bar]]] = {
    "length of the answer": by_length,
    "share of the picture that the object takes": by_size,
    "kind of question": by_kind,
}


def _bars(groups: Iterable[tuple[str, Sequence[Sample]]], scale: float) -> list[Bar]:
    """None, where there is one group only, which says nothing."""
    bars = [made for label, group in groups if (made := bar(label, group, scale)) is not None]
    return bars if len(bars) >= FEWEST_GROUPS else []


def _words(first: int, last: int) -> str:
    return f"{first} word{'s' * (first != 1)}" if first == last else f"{first} to {last} words"


def right_boxes(target: Any) -> list[tuple[str, Sequence[float]]]:
    """The boxes of a target, each with its label."""
    if not isinstance(target, Mapping):
        return []
    named = [
        (one["label"], one["box"]) for one in target.get("objects", ()) if isinstance(one, Mapping) and "box" in one
    ]
    return [("target", box) for box in target.get("boxes", ())] + named


def _share(target: Any) -> float | None:
    boxes = right_boxes(target)
    if not boxes or not target.get("width") or not target.get("height"):
        return None
    areas = [(x2 - x1) * (y2 - y1) for _, (x1, y1, x2, y2) in boxes]
    return sum(areas) / len(areas) / (target["width"] * target["height"])
