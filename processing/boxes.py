"""Boxes of MiniGPT-v2: pixels and their text, `<p>phrase</p> {<x1><y1><x2><y2>}<delim>{…}`, in both directions."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple


# Corners in text are whole hundredths of the width and the height, from 0 to 100.
SCALE = 100
DELIMITER = "<delim>"

_NUMBER = r"<\s*-?[0-9]{1,6}\s*>"
_BOX = r"\{\s*" + r"\s*".join([_NUMBER] * 4) + r"\s*\}"
_BOXES = rf"{_BOX}(?:(?:\s*{DELIMITER})?\s*{_BOX})*"
_PHRASE = r"<p>(?P<{}>[^<>{{}}]*)</p>"
_MARKS = re.compile(
    rf"(?:{_PHRASE.format('phrase')}\s*)?(?P<boxes>{_BOXES})"
    rf"|{_PHRASE.format('alone')}"
    rf"|(?P<broken>\{{\s*<[<>0-9\s.,-]*\}}?|</?p>|{DELIMITER})"
)


class Box(NamedTuple):
    """Top-left and bottom-right corner, in pixels from the top-left of the picture."""

    x1: float
    y1: float
    x2: float
    y2: float


class GroundedPhrase(NamedTuple):
    """A phrase and where it is.

    Args:
        phrase (`str`): empty for boxes without one.
        span (`tuple[int, int]`): where the phrase begins and ends in `Grounding.text`.
        boxes (`list[Box]`): empty where the text marks the phrase but gives no box.
    """

    phrase: str
    span: tuple[int, int]
    boxes: list[Box]


class Grounding(NamedTuple):
    """The phrases and boxes of a text.

    Args:
        text (`str`): the text without marks and boxes.
        phrases (`list[GroundedPhrase]`): in the order of the text.
        problems (`list[str]`): each piece that was corrected or not understood, with the reason.
    """

    text: str
    phrases: list[GroundedPhrase]
    problems: list[str]

    @property
    def boxes(self) -> list[Box]:
        """All boxes, in the order of the text."""
        return [box for phrase in self.phrases for box in phrase.boxes]


def format_box(box: Sequence[float], image_size: tuple[int, int], clip: bool = True) -> str:
    """
    Write a box as the models read and write it: `{<12><5><88><97>}`. Hundredths are truncated, as published.

    Args:
        box (`Box` or four numbers): x1, y1, x2, y2 in pixels.
        image_size (`tuple[int, int]`): (width, height) in pixels, as `image.size` of a PIL image.
        clip (`bool`, *optional*, defaults to `True`):
            Move corners beyond the picture to its edge, and put reversed corners in order. Published training did
            neither with the boxes of its annotations.

    Raises:
        ValueError: not four finite numbers, or a size that is not positive.
    """
    width, height = _checked_size(image_size)
    if len(box) != 4 or not all(math.isfinite(value) for value in box):
        raise ValueError(f"A box must be four finite numbers, x1, y1, x2, y2, in pixels (got {tuple(box)}).")
    corners = [_hundredths(value, side) for value, side in zip(box, (width, height) * 2, strict=True)]
    if clip:
        corners = _ordered(*map(_inside, corners))
    return "{" + "".join(f"<{value}>" for value in corners) + "}"


def format_boxes(boxes: Iterable[Sequence[float]], image_size: tuple[int, int]) -> str:
    """Write several boxes, joined by `<delim>`. Arguments and errors as `format_box`."""
    return DELIMITER.join(format_box(box, image_size) for box in boxes)


def format_phrase(phrase: str, boxes: Iterable[Sequence[float]], image_size: tuple[int, int]) -> str:
    """
    Write a phrase and where it is: `<p>a cat</p> {<12><5><88><97>}<delim>{…}`.

    Raises:
        ValueError: the phrase contains one of `<>{}`, so that it could not be parsed again; and as `format_box`.
    """
    if set("<>{}") & set(phrase):
        raise ValueError(f"The phrase {phrase!r} contains one of < > {{ }}, which delimit boxes: remove it.")
    return f"<p>{phrase}</p> {format_boxes(boxes, image_size)}".rstrip()


def parse_grounding(text: str, image_size: tuple[int, int] = (SCALE, SCALE)) -> Grounding:
    """
    Parse phrases and boxes out of a text. Malformed text is no error: it is listed in `problems`.

    Args:
        text (`str`): an answer, or a question with boxes in it.
        image_size (`tuple[int, int]`, defaults to hundredths):
            (width, height) of the picture in pixels, as `image.size` of a PIL image; boxes are in its pixels, not rounded.

    Raises:
        ValueError: a size that is not positive.
    """
    size = _checked_size(image_size)
    plain, phrases, problems = "", [], []
    end = 0
    for match in _MARKS.finditer(text):
        plain = _joined(plain, text[end : match.start()])
        end = match.end()
        if match["broken"]:
            problems.append(f"{match['broken'].strip()} (not understood)")
            plain = plain.rstrip() if match["broken"].startswith("{") else plain
            continue
        phrase = (match["phrase"] or match["alone"] or "").strip()
        boxes = []
        for found in re.findall(_BOX, match["boxes"] or ""):
            box, wrong = _read([int(value) for value in re.findall(r"-?[0-9]+", found)], size)
            boxes.append(box)
            if wrong:
                problems.append(f"{found} ({wrong})")
        if match["alone"] is not None:
            problems.append(f"{match[0]} (no box follows)")
        if phrase:
            plain = _joined(plain, phrase)
            span = (len(plain) - len(phrase), len(plain))
        else:
            plain = plain.rstrip()
            span = (len(plain), len(plain))
        phrases.append(GroundedPhrase(phrase, span, boxes))
    return Grounding(_joined(plain, text[end:]).rstrip(), phrases, problems)


def resize_box(box: Sequence[float], old_size: tuple[int, int], new_size: tuple[int, int]) -> Box:
    """The same place in the picture after it was resized. Sizes are (width, height)."""
    (old_width, old_height), (new_width, new_height) = _checked_size(old_size), _checked_size(new_size)
    x1, y1, x2, y2 = box
    return Box(
        x1 * new_width / old_width,
        y1 * new_height / old_height,
        x2 * new_width / old_width,
        y2 * new_height / old_height,
    )


def crop_box(box: Sequence[float], region: Sequence[float]) -> Box | None:
    """
    The same place in the picture after `image.crop(region)`.

    Returns:
        `Box`, *optional*: what of it the region shows; `None` where that is nothing.
    """
    left, top, right, bottom = region
    x1, y1, x2, y2 = max(box[0], left), max(box[1], top), min(box[2], right), min(box[3], bottom)
    return Box(x1 - left, y1 - top, x2 - left, y2 - top) if x1 < x2 and y1 < y2 else None


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    if len(size) != 2 or min(size) <= 0:
        raise ValueError(f"The size of an image must be (width, height) in pixels, both positive (got {tuple(size)}).")
    return size


def _hundredths(value: float, side: int) -> int:
    return int(value / side * SCALE)  # in this order, as published: 29 of 100 pixels are 28


def _inside(hundredths: int) -> int:
    return min(max(hundredths, 0), SCALE)


def _pixels(hundredths: int, side: int) -> float:
    pixels = hundredths * side / SCALE
    # Where the truncation above would give less, the next float: text → pixels → text is lossless.
    return pixels if _hundredths(pixels, side) == hundredths else math.nextafter(pixels, math.inf)


def _ordered(x1: int, y1: int, x2: int, y2: int) -> list[int]:
    return [min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)]


def _read(values: list[int], size: tuple[int, int]) -> tuple[Box, str]:
    """A box in pixels, and what had to be corrected."""
    inside = [_inside(value) for value in values]
    corners = _ordered(*inside)
    wrong = ["outside 0 to 100"] * (inside != values) + ["corners reversed"] * (corners != inside)
    pixels = (_pixels(value, side) for value, side in zip(corners, size * 2, strict=True))
    return Box(*pixels), ", ".join(wrong)


def _joined(plain: str, words: str) -> str:
    """Append `words`; a box removed in between leaves neither a double space nor one at the beginning."""
    if not plain:
        return words.lstrip()
    return plain + (words.lstrip(" ") if plain.endswith(" ") else words)
