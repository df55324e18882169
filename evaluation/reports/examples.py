"""Samples that were right and wrong, with their pictures, and boxes drawn."""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PIL.Image import Image

from minigpt4.processing.boxes import Box, GroundedPhrase
from minigpt4.processing.drawing import draw_boxes
from minigpt4.processing.image_addresses import image_address
from minigpt4.processing.image_loading import AsStored, load_image

from .groups import Sample, right_boxes, score_of


SIDE = 320
HALF = 0.5
LONGEST_TEXT = 1500
# As `draw_boxes` colours its first two phrases.
LEGEND = ("what is right in orange", "the answer's in blue")


def hits_and_misses(
    samples: Sequence[Sample], lower_is_better: bool, number: int
) -> tuple[list[Sample], list[Sample]]:
    """At most `number` of each, drawn with a fixed seed: a score of one half and more is a hit; where lower is better, one below."""
    judged = [(sample, score) for sample in samples if (score := score_of(sample)) is not None]
    hits = [sample for sample, score in judged if (score < HALF if lower_is_better else score >= HALF)]
    known = {id(sample) for sample in hits}
    misses = [sample for sample, _ in judged if id(sample) not in known]
    return _some(hits, number), _some(misses, number)


def _some(samples: list[Sample], number: int) -> list[Sample]:
    return random.Random(0).sample(samples, min(number, len(samples)))


def figure_of(sample: Sample, data: Path, drawn: Mapping[str, Image] = MappingProxyType({})) -> str:
    """
    A sample in HTML: the picture with the right boxes and the answer's, what was asked, said and right, and the score.

    Args:
        sample (`dict`): of a result.
        data (`Path`): where pictures are.
        drawn (`Mapping`, *optional*): pictures that are in no file, by the id of their sample.
    """
    score = score_of(sample)
    ranked = "losses" in sample and "answer" not in sample
    rows = [
        ("asked", sample.get("prompt", "")),
        ("said", _candidate(sample["scores"]["parsed"]) if ranked else sample.get("answer", "")),
        ("right", _candidate(sample["target"]) if ranked else _target(sample.get("target"))),
        ("score", "unjudged" if score is None else f"{score:.2f}"),
        ("error", sample.get("error", "")),
        ("not finished", "the answer has no end" if sample.get("finished") is False else ""),
    ]
    facts = "".join(f"<dt>{name}</dt><dd>{escape(_cut(value))}</dd>" for name, value in rows if value)
    picture = _picture(sample, data, drawn.get(sample["id"]))
    return f"<figure>{picture}<figcaption><dl>{facts}</dl></figcaption></figure>"


def _candidate(index: int) -> str:
    return f"candidate {index + 1}"


def _target(target: Any) -> str:
    if isinstance(target, list) and all(isinstance(one, str) for one in target):
        return ", ".join(f"{one} ({count})" if count > 1 else one for one, count in Counter(target).most_common())
    if isinstance(target, Mapping) and isinstance(target.get("answer"), str):
        return target["answer"]
    if isinstance(target, Mapping) and right_boxes(target):
        return ", ".join(dict.fromkeys(label for label, _ in right_boxes(target) if label != "target"))  # drawn
    return target if isinstance(target, str) else "" if target is None else json.dumps(target, ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]} … ({len(text):,} characters)"


def _picture(sample: Sample, data: Path, picture: Image | None) -> str:
    if picture is None and not sample.get("image"):
        return ""
    try:
        picture = picture.copy() if picture is not None else load_image(AsStored(str(data / sample["image"])))
    except (OSError, ValueError):
        return f"<p>The picture {escape(sample['image'])} cannot be read.</p>"
    said = _answered(sample["scores"].get("parsed"))
    # Of one colour each: what is right, and what was said.
    boxes = {"right": [box for _, box in right_boxes(sample.get("target"))], "answer": said}
    if any(boxes.values()):
        phrases = [GroundedPhrase(name, (0, 0), [Box(*box) for box in found]) for name, found in boxes.items()]
        picture = draw_boxes(picture, phrases)
    picture.thumbnail((SIDE, SIDE))
    return f'<img alt="" src="{image_address(picture.convert("RGB"), "jpeg", quality=85)}">'


def _answered(parsed: Any) -> list[Sequence[float]]:
    """The boxes of an answer, as the metrics for boxes keep them."""
    if not isinstance(parsed, list):
        return []
    found = [one["box"] if isinstance(one, Mapping) else one for one in parsed]
    return [box for box in found if isinstance(box, Sequence) and not isinstance(box, str) and len(box) == 4]
