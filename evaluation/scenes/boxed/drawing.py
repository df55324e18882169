"""Scenes with boxes as pictures."""

import random

from PIL import Image

from minigpt4.evaluation.scenes.drawing import mask, tint, with_noise

from .world import BoxedScene


def draw_boxed(scene: BoxedScene, rng: random.Random | None = None, scale: float = 1.0) -> Image.Image:
    """
    Draw a scene with boxes. Of two objects that overlap, the later one covers the other.

    Args:
        scene (`BoxedScene`): what to draw.
        rng (`random.Random`, *optional*): decides the jitter of the colours and the noise; without it the picture is clean.
        scale (`float`, defaults to 1.0): pixels of the picture for each of `scene.size`, for example to show it larger.

    Returns:
        `PIL.Image.Image`: in mode RGB.

    Raises:
        ValueError: a scale that is not positive.
    """
    if scale <= 0:
        raise ValueError(f"scale must be above 0 (got {scale})")
    width, height = (round(side * scale) for side in scene.size)
    picture = Image.new("RGB", (width, height), tint(scene.background, rng))
    for obj in scene.objects:
        x, y, radius = (value * scale for value in (obj.x, obj.y, obj.radius))
        reach = 1.15 * radius + 1  # no shape goes further
        left, top = int(x - reach) - 1, int(y - reach) - 1
        cell = int(2 * reach) + 3
        picture.paste(tint(obj.colour, rng), (left, top), mask(obj.shape, cell, x - left, y - top, radius))
    return picture if rng is None else with_noise(picture, rng)
