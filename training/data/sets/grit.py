"""GRIT, web captions with machine-made boxes: grounded captions, and phrases with their places, both ways."""

import random
from collections.abc import Sequence

from minigpt4.processing.boxes import Box, format_boxes, format_phrase
from minigpt4.processing.tasks import TASKS
from minigpt4.training.row import Row

from .annotations import Annotation
from .published_set import ShardSet, ask
from .text import clean_caption


# Characters that delimit boxes, each replaced by one space so that positions in the caption stay.
DELIMITERS = str.maketrans("<>{}", "    ")
UNIT = (1, 1)  # boxes are shares of the picture

Span = tuple[int, int]


def _spans(row: Annotation, field: str) -> tuple[str, dict[Span, list[Box]]]:
    """The caption, and the boxes of each of its phrases, in the order of the caption; outer phrases before inner ones."""
    caption = row["caption"].translate(DELIMITERS)
    found: dict[Span, list[Box]] = {}
    for start, end, *corners, _ in row[field]:
        span = int(start), int(end)
        if not 0 <= span[0] < span[1] <= len(caption):
            raise ValueError(f"has a phrase from {start} to {end} in a caption of {len(caption)} characters")
        found.setdefault(span, []).append(Box(*corners))
    if not found:
        raise ValueError(f"has no {field}")
    return caption, {span: found[span] for span in sorted(found, key=lambda span: (span[0], -span[1]))}


def _grounded(row: Annotation, rng: random.Random) -> Row:
    caption, spans = _spans(row, "noun_chunks")
    written, end = "", 0
    for (start, stop), boxes in spans.items():
        if start >= end:  # else it is part of a phrase that is written already
            written += caption[end:start] + format_phrase(caption[start:stop], boxes, UNIT)
            end = stop
    return ask(rng.choice(TASKS["grounding"].forms), written + caption[end:])


def _phrase(row: Annotation, rng: random.Random) -> tuple[str, Sequence[Box]]:
    """An expression and its boxes; one with a single box if there is any, since that is what `[refer]` is about."""
    caption, spans = _spans(row, "ref_exps")
    alone = [span for span, boxes in spans.items() if len(boxes) == 1]
    start, end = rng.choice(alone or list(spans))
    return clean_caption(caption[start:end]), spans[start, end]


def _refer(row: Annotation, rng: random.Random) -> Row:
    phrase, boxes = _phrase(row, rng)
    return ask(rng.choice(TASKS["refer"].forms).format(phrase), format_boxes(boxes, UNIT))


def _identify(row: Annotation, rng: random.Random) -> Row:
    phrase, boxes = _phrase(row, rng)
    return ask(rng.choice(TASKS["identify"].forms).format(format_boxes([rng.choice(boxes)], UNIT)), phrase)


GRIT_SHARDS = {
    "grit_grounded_caption": ShardSet("grounding", "grit/*.tar", _grounded),
    "grit_refer": ShardSet("refer", "grit/*.tar", _refer),
    "grit_identify": ShardSet("identify", "grit/*.tar", _identify),
}
