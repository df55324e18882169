"""Bars of shares in per cent, as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont


COLOURS = ("#d62728", "#1f77b4", "#2ca02c")
WIDTH, LEFT, TOP, BAR, GAP = 900, 260, 50, 23, 16  # pixels
PER_CENT = 5.2  # pixels


def draw_bars(rows: Sequence[tuple[str, Mapping[str, float]]], file: Path) -> None:
    """
    Draw rows of bars.

    Args:
        rows: label of each row, and its figures by name, the same names in each.
        file (`Path`): the picture.
    """
    names = list(rows[0][1])
    height = TOP + (BAR * len(names) + GAP) * len(rows)
    picture = Image.new("RGB", (WIDTH, height), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    for number, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
        at = LEFT + 210 * number
        pen.rectangle((at, 16, at + 14, 30), fill=colour)
        pen.text((at + 22, 14), name, fill="black", font=font)
    for number, (label, figures) in enumerate(rows):
        top = TOP + (BAR * len(names) + GAP) * number
        pen.text((10, top + BAR * len(names) / 2 - 10), label, fill="black", font=font)
        for bar, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
            end, y = LEFT + PER_CENT * figures[name], top + BAR * bar
            pen.rectangle((LEFT, y, end, y + BAR - 5), fill=colour)
            pen.text((end + 6, y), f"{figures[name]:.1f}", fill="black", font=font)
    picture.save(file)
