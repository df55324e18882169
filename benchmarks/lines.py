"""Costs by size, both in powers of ten, as a picture."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont


COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf")
WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, LABEL = 900, 560, 80, 20, 40, 20  # pixels


def draw_lines(lines: Mapping[str, Sequence[tuple[float, float]]], unit: str, file: Path) -> None:
    """
    Draw a line for each name. Parallel to the grid's diagonal, cost grows as the size does.

    Args:
        lines: sizes with their costs, both positive.
        unit (`str`): of the costs.
        file (`Path`): the picture.
    """
    sizes, costs = ([point[axis] for line in lines.values() for point in line] for axis in (0, 1))
    (left, right), (low, high) = _decades(sizes), _decades(costs)
    top = LABEL * (len(lines) + 1)
    scale = min((WIDTH - LEFT - RIGHT) / (right - left), HEIGHT / (high - low))  # the same for both
    floor = top + scale * (high - low)

    def place(size: float, cost: float) -> tuple[float, float]:
        return LEFT + scale * (math.log10(size) - left), floor - scale * (math.log10(cost) - low)

    picture = Image.new("RGB", (WIDTH, round(floor) + BOTTOM), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    for decade in range(left, right + 1):
        pen.line((*place(10.0**decade, 10.0**low), *place(10.0**decade, 10.0**high)), fill="#dddddd")
        pen.text(place(10.0**decade, 10.0**low), f"10^{decade}", fill="black", font=font)
    for decade in range(low, high + 1):
        pen.line((*place(10.0**left, 10.0**decade), *place(10.0**right, 10.0**decade)), fill="#dddddd")
        pen.text((10, place(1.0, 10.0**decade)[1] - 10), f"{10.0**decade:g}", fill="black", font=font)
    pen.text((10, 4), unit, fill="black", font=font)
    for number, ((name, points), colour) in enumerate(zip(lines.items(), cycle(COLOURS), strict=False)):
        pen.text((LEFT + 110, 4 + LABEL * number), name, fill=colour, font=font)
        placed = [place(*point) for point in points]
        pen.line(placed, fill=colour, width=3)
        for x, y in placed:
            pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=colour)
    picture.save(file)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    least, most = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return least, max(most, least + 1)
