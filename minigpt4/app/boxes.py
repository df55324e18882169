"""Boxes as the page shows them: over the picture and in the words, tied to each other by the number of their phrase."""

import html
from collections.abc import Iterator
from typing import Any

from minigpt4.processing.boxes import Box, GroundedPhrase, Grounding
from minigpt4.processing.drawing import ink_on, phrase_colours


def placed(box: Box) -> str:
    """Where a box in hundredths is, in words."""
    return f"{box.x1:.0f}–{box.x2:.0f} % across, {box.y1:.0f}–{box.y2:.0f} % down"  # noqa: RUF001  # as ranges are written


def placed_text(grounding: Grounding) -> str:
    """The text, with the places of boxes that have no phrase in words."""
    return "".join(words for words, _ in _pieces(grounding)).strip()


def words_with_boxes(grounding: Grounding) -> str:
    """The same as HTML, each phrase in the colour of its boxes and with its number."""
    colours = phrase_colours(grounding.phrases)
    return "".join(
        html.escape(words)
        if number is None
        else f'<mark tabindex="0" data-phrase="{number}" style="background-color: {colours[number]}; '
        f'color: {ink_on(colours[number])}">{html.escape(words)}</mark>'
        for words, number in _pieces(grounding)
    ).strip()


def boxes_over(grounding: Grounding) -> list[dict[str, Any]]:
    """For each box: the number of its phrase, colours, its label as HTML, where it is in words and as `[x, y, width, height]`.

    Large ones first, so that none is hidden behind another. `grounding` is in hundredths.
    """
    colours = phrase_colours(grounding.phrases)
    boxes = [(number, phrase, box) for number, phrase in enumerate(grounding.phrases) for box in phrase.boxes]
    boxes.sort(key=lambda each: -_area(each[2]))
    return [
        {
            "phrase": number,
            "colour": colours[number],
            "ink": ink_on(colours[number]),
            "label": html.escape(phrase.phrase),
            "place": placed(box),
            "box": [box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1],
        }
        for number, phrase, box in boxes
    ]


def _area(box: Box) -> float:
    return (box.x2 - box.x1) * (box.y2 - box.y1)


def _pieces(grounding: Grounding) -> Iterator[tuple[str, int | None]]:
    """The text in pieces, each with the number of its phrase where that has boxes."""
    end = 0
    for number, phrase in enumerate(grounding.phrases):
        begin, stop = phrase.span
        yield grounding.text[end:begin], None
        end = stop
        if phrase.phrase:
            yield phrase.phrase, number if phrase.boxes else None
        else:
            yield from _places(number, phrase)
    yield grounding.text[end:], None


def _places(number: int, phrase: GroundedPhrase) -> Iterator[tuple[str, int | None]]:
    """Boxes without a phrase, after what is said before them."""
    for box in phrase.boxes:
        yield " ", None
        yield placed(box), number
