"""Descriptions read back into facts."""

import re
from dataclasses import dataclass

from .world import BACKGROUNDS, COLOURS, NUMBERS, POSITIONS, SHAPES, SIZES


@dataclass(frozen=True)
class ParsedDescription:
    """The facts of a description, `None` where it leaves one out."""

    background: str | None
    count: str | None
    objects: tuple[dict[str, str | None], ...]


def _one_of(name: str, words: tuple[str, ...]) -> str:
    # Longest first: "top" would otherwise match the beginning of "top-left".
    return rf"(?P<{name}>{'|'.join(sorted(words, key=len, reverse=True))})"


_OBJECT = re.compile(
    rf"(?:\b{_one_of('size', SIZES)} )?(?:\b{_one_of('colour', COLOURS)} )?\b{_one_of('shape', SHAPES)}\b"
    rf"(?:(?: is)? at the {_one_of('position', POSITIONS)}\b)?"
)
_BACKGROUND = re.compile(rf"\b{_one_of('background', BACKGROUNDS)} background\b")
_COUNT = re.compile(rf"\b{_one_of('count', NUMBERS)} objects?\b")


def parse(description: str) -> ParsedDescription:
    """Parse a description into facts; anything else in it is ignored."""
    background, count = _BACKGROUND.search(description), _COUNT.search(description)
    return ParsedDescription(
        background=background and background["background"],
        count=count and count["count"],
        objects=tuple(match.groupdict() for match in _OBJECT.finditer(description)),
    )
