"""The loss curve of a run, as a picture."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont


SIZE = (900, 500)
MARGIN = (70, 40, 30, 50)  # left, top, right, bottom
COLOURS = {"loss": "#1f77b4", "eval_loss": "#d62728"}


def draw_loss_curve(history: Sequence[dict], file: Path) -> None:
    """
    Draw the losses of a run over its steps.

    Args:
        history: `trainer.state.log_history`; entries with `loss` or `eval_loss` are drawn.
        file (`Path`): a PNG. Nothing is written where there is no loss.
    """
    curves = {key: [(entry["step"], entry[key]) for entry in history if key in entry] for key in COLOURS}
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return
    (left, top, right, bottom), (width, height) = MARGIN, SIZE
    steps, losses = zip(*points, strict=True)
    last, low, high = max(steps), min(losses), max(losses)
    span = (high - low) or 1.0

    def place(step: float, loss: float) -> tuple[float, float]:
        x = left + (width - left - right) * step / last
        return x, height - bottom - (height - top - bottom) * (loss - low) / span

    image = Image.new("RGB", SIZE, "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size=14)
    for tick in range(6):
        x, y = place(last * tick / 5, low + span * tick / 5)
        pen.line([(left, y), (width - right, y)], fill="#dddddd")
        pen.text((left - 8, y), f"{low + span * tick / 5:.4g}", fill="black", font=font, anchor="rm")
        pen.text((x, height - bottom + 8), f"{last * tick / 5:.0f}", fill="black", font=font, anchor="mt")
    pen.text((width / 2, height - 8), "step", fill="black", font=font, anchor="mb")
    for index, (key, curve) in enumerate(curves.items()):
        if curve:
            pen.line([place(*point) for point in curve], fill=COLOURS[key], width=2)
            pen.text((left + 90 * index, 12), key, fill=COLOURS[key], font=font)
    image.save(file)
