"""The loss curve of a run, and its scores, as a picture."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont


SIZE = (900, 500)
MARGIN = (70, 40, 70, 50)  # left, top, right, bottom
COLOURS = {"loss": "#1f77b4", "eval_loss": "#d62728"}
SCORE_COLOURS = ("#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2")
TICKS = 5

Curve = list[tuple[float, float]]


def draw_loss_curve(history: Sequence[dict], file: Path, tasks: Sequence[str] = ()) -> None:
    """
    Draw the losses of a run over its steps, and scores of tasks, whose scale is at the right.

    Args:
        history (`Sequence[dict]`): `trainer.state.log_history`; entries with `loss` or `eval_loss` are drawn.
        file (`Path`): a PNG. Nothing is written where there is no loss.
        tasks (`Sequence[str]`, *optional*): names of tasks; entries with `eval_TASK` are drawn.
    """
    losses = {key: _curve(history, key) for key in COLOURS}
    if not any(losses.values()):
        return
    scores = {task: _curve(history, f"eval_{task}") for task in tasks}
    last = max(step for curve in [*losses.values(), *scores.values()] for step, _ in curve)
    image = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(image)
    _draw_steps(pen, last)
    x = float(MARGIN[0])
    for curves, colours, right in ((losses, COLOURS.values(), False), (scores, cycle(SCORE_COLOURS), True)):
        values = [value for curve in curves.values() for _, value in curve]
        if not values:
            continue
        low, high = min(values), max(values)
        _draw_axis(pen, low, high, right)
        for (name, curve), colour in zip(curves.items(), colours, strict=False):
            points = [_place(step / last, (value - low) / ((high - low) or 1.0)) for step, value in curve]
            if points:
                pen.line(points, fill=colour, width=2)
                for px, py in points if right else ():
                    pen.ellipse([px - 3, py - 3, px + 3, py + 3], fill=colour)
                pen.text((x, 12), name, fill=colour, font=_font())
                x += pen.textlength(name, font=_font()) + 24
    image.save(file)


def _curve(history: Sequence[dict], key: str) -> Curve:
    return [(entry["step"], entry[key]) for entry in history if key in entry]


def _place(x: float, y: float) -> tuple[float, float]:
    """Where shares of the axes are in the picture."""
    (left, top, right, bottom), (width, height) = MARGIN, SIZE
    return left + (width - left - right) * x, height - bottom - (height - top - bottom) * y


def _draw_steps(pen: ImageDraw.ImageDraw, last: float) -> None:
    for tick in range(TICKS + 1):
        x, y = _place(tick / TICKS, 0)
        pen.text((x, y + 8), f"{last * tick / TICKS:.0f}", fill="black", font=_font(), anchor="mt")
    pen.text((SIZE[0] / 2, SIZE[1] - 8), "step", fill="black", font=_font(), anchor="mb")


def _draw_axis(pen: ImageDraw.ImageDraw, low: float, high: float, right: bool) -> None:
    for tick in range(TICKS + 1):
        value = low + ((high - low) or 1.0) * tick / TICKS
        (left, y), (end, _) = _place(0, tick / TICKS), _place(1, 0)
        if right:
            pen.text((end + 8, y), f"{value:.4g}", fill=SCORE_COLOURS[0], font=_font(), anchor="lm")
        else:
            pen.line([(left, y), (end, y)], fill="#dddddd")
            pen.text((left - 8, y), f"{value:.4g}", fill="black", font=_font(), anchor="rm")


def _font():
    return ImageFont.load_default(size=14)
