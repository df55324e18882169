"""Bars with intervals as SVG, which pages hold without another file."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from .groups import Bar


WIDTH, ROW, LEFT, RIGHT, TOP, BOTTOM = 680, 28, 220, 130, 8, 24
TICKS = 5
# Nearly all figures are per cent; a normal interval may reach beyond, and is cut off there.
PER_CENT = 100
LABEL_CHARACTERS = 30


class Mark(NamedTuple):
    """A published figure beside a bar."""

    label: str
    value: float


def draw_bars(bars: Sequence[Bar], marks: Sequence[Sequence[Mark]] = ()) -> str:
    """
    Horizontal bars from zero, with their intervals, and rings for published figures.

    Args:
        bars (`list[Bar]`): from the top.
        marks (`list[list[Mark]]`, *optional*): those of each bar.
    """
    shown = [*marks, *[()] * (len(bars) - len(marks))]
    values = [bar.value for bar in bars] + [mark.value for group in shown for mark in group]
    top = PER_CENT if max(values) <= PER_CENT else max(*values, *(bar.high for bar in bars))
    height = TOP + ROW * len(bars) + BOTTOM

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(max(value, 0), top) / top, 1)

    pieces = []
    for tick in range(TICKS + 1):
        at, value = x(top * tick / TICKS), top * tick / TICKS
        pieces.append(f'<line class="grid" x1="{at}" x2="{at}" y1="{TOP}" y2="{height - BOTTOM}"/>')
        pieces.append(f'<text class="tick" x="{at}" y="{height - 8}">{value:.3g}</text>')
    for row, (bar, group) in enumerate(zip(bars, shown, strict=True)):
        y = TOP + ROW * row
        middle = y + ROW / 2
        pieces += [
            f"<g><title>{escape(bar.label)}: {bar.value:.1f} [{bar.low:.1f}, {bar.high:.1f}], n = {bar.n}</title>",
            f'<text class="label" x="{LEFT - 8}" y="{middle + 4}">{escape(_short(bar.label))}</text>',
            f'<rect class="bar" x="{LEFT}" y="{y + 5}" width="{round(x(bar.value) - LEFT, 1)}" height="{ROW - 10}"/>',
            f'<line class="interval" x1="{x(bar.low)}" x2="{x(bar.high)}" y1="{middle}" y2="{middle}"/>',
            f'<text class="value" x="{WIDTH - RIGHT + 8}" y="{middle + 4}">{bar.value:.1f} (n = {bar.n})</text></g>',
        ]
        for mark in group:
            pieces.append(
                f'<circle class="mark" cx="{x(mark.value)}" cy="{middle}" r="5"><title>{escape(mark.label)}: '
                f"{mark.value:.1f}</title></circle>"
            )
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{"".join(pieces)}</svg>'


def _short(label: str) -> str:
    return label if len(label) <= LABEL_CHARACTERS else f"{label[: LABEL_CHARACTERS - 1]}…"
