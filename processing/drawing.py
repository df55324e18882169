"""Boxes and their labels on pictures, and the colours that tie them to the words."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from .boxes import GroundedPhrase, Grounding


# Distinguishable with colour vision deficiency (Okabe and Ito, 2008), dark enough for white text or light enough for black.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8B5CF6", "#F0E442")


def phrase_colours(phrases: Sequence[GroundedPhrase]) -> list[str]:
    """
    A colour for each phrase, as `#RRGGBB`: equal phrases share one, others differ until all colours are used.
    """
    keys = [phrase.phrase.casefold() or f"#{index}" for index, phrase in enumerate(phrases)]
    order = {key: index for index, key in enumerate(dict.fromkeys(keys))}
    return [COLOURS[order[key] % len(COLOURS)] for key in keys]


def coloured_text(grounding: Grounding) -> list[tuple[str, str | None]]:
    """
    Split the text where its phrases begin and end.

    Returns:
        `list[tuple[str, str | None]]`: pieces that give `grounding.text` when joined, each with the colour of its
        boxes, or `None` for words that have no box.
    """
    pieces: list[tuple[str, str | None]] = []
    end = 0
    for phrase, colour in zip(grounding.phrases, phrase_colours(grounding.phrases), strict=True):
        begin, stop = phrase.span
        pieces += [(grounding.text[end:begin], None), (grounding.text[begin:stop], colour if phrase.boxes else None)]
        end = stop
    return [(text, colour) for text, colour in (*pieces, (grounding.text[end:], None)) if text]


def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on `colour` (`#RRGGBB`)."""
    red, green, blue = (_linear(int(colour[index : index + 2], 16) / 255) for index in (1, 3, 5))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    # Contrast as in WCAG 2: (lighter + 0.05) / (darker + 0.05).
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


def _linear(channel: float) -> float:
    """A channel of sRGB, 0 to 1, as light."""
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def draw_boxes(image: Image.Image, phrases: Sequence[GroundedPhrase]) -> Image.Image:
    """
    Draw every box with its phrase above it, each phrase in its colour.

    Args:
        image (`PIL.Image.Image`): of any size and mode; it is not changed.
        phrases (`list[GroundedPhrase]`): with boxes in pixels of this image, as `parse_grounding(text, image.size)` gives them.

    Returns:
        `PIL.Image.Image`: a copy in mode RGB.
    """
    picture = image.convert("RGB") if image.mode != "RGB" else image.copy()
    pen = ImageDraw.Draw(picture)
    line = max(2, round(min(picture.size) / 120))
    font = ImageFont.load_default(size=max(12, round(min(picture.size) / 24)))
    drawn = [
        (box, phrase.phrase, colour)
        for phrase, colour in zip(phrases, phrase_colours(phrases), strict=True)
        for box in phrase.boxes
    ]
    for box, _, colour in drawn:
        # A box of full width ends at the last column, not one past it.
        x2, y2 = min(box.x2, picture.width - 1), min(box.y2, picture.height - 1)
        pen.rectangle((min(box.x1, x2), min(box.y1, y2), x2, y2), outline=colour, width=line)
    for box, label, colour in drawn:  # after all boxes, so that none crosses a label
        if label:
            _write(pen, label, box.x1, box.y1, colour, font)
    return picture


def _write(pen: ImageDraw.ImageDraw, label: str, x: float, y: float, colour: str, font) -> None:
    """Write a label just above (x, y), or below where there is no room, always within the picture."""
    width, height = pen.im.size
    margin = 2
    left, top, right, bottom = pen.textbbox((0, 0), label, font=font)
    wide, high = right - left + 2 * margin, bottom - top + 2 * margin
    x = max(0, min(x, width - wide))
    y = y - high if y >= high else min(y, height - high)
    pen.rectangle((x, y, x + wide, y + high), fill=colour)
    pen.text((x + margin - left, y + margin - top), label, fill=ink_on(colour), font=font)
