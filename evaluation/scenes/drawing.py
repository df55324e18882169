"""Scenes as pictures: antialiased shapes with jitter in place, size and colour, and a little noise."""

import math
import random

import numpy as np
from PIL import Image, ImageDraw

from .world import POSITIONS, Scene


IMAGE_SIZE = 96
SUPERSAMPLING = 4
NOISE = 6.0  # standard deviation, in grey levels
COLOUR_JITTER = 10  # at most, in grey levels
RADII = {"small": (0.23, 0.26), "large": (0.39, 0.43)}  # from and to, in cells

RGB = {
    "white": (240, 240, 240),
    "black": (18, 18, 18),
    "gray": (128, 128, 128),
    "beige": (228, 212, 172),
    "red": (218, 30, 30),
    "green": (30, 155, 50),
    "blue": (40, 70, 225),
    "yellow": (245, 225, 30),
    "purple": (125, 35, 165),
    "pink": (250, 130, 190),
    "cyan": (40, 205, 225),
    "brown": (120, 70, 25),
}


def draw(scene: Scene, size: int = IMAGE_SIZE, rng: random.Random | None = None) -> Image.Image:
    """
    Draw a scene.

    Args:
        scene (`Scene`): what to draw.
        size (`int`, defaults to 96): width and height in pixels.
        rng (`random.Random`, *optional*):
            Decides the jitter and the noise; without it the picture is clean, with each object in the middle of its cell.

    Returns:
        `PIL.Image.Image`: in mode RGB.

    Raises:
        ValueError: a size in which small shapes could not be distinguished.
    """
    if size < 48:
        raise ValueError(f"size must be at least 48 pixels (got {size})")
    picture = Image.new("RGB", (size, size), tint(scene.background, rng))
    cell = size // 3
    for obj in scene.objects:
        row, column = divmod(POSITIONS.index(obj.position), 3)
        smallest, largest = RADII[obj.size]
        radius = cell * (rng.uniform(smallest, largest) if rng else (smallest + largest) / 2)
        play = min(cell / 2 - radius - 0.5, cell * 0.1)
        x, y = (cell / 2 + (rng.uniform(-play, play) if rng else 0.0) for _ in range(2))
        corner = (column * size // 3, row * size // 3)
        picture.paste(tint(obj.colour, rng), corner, mask(obj.shape, cell, x, y, radius))
    return picture if rng is None else with_noise(picture, rng)


def with_noise(picture: Image.Image, rng: random.Random) -> Image.Image:
    """The picture under a little noise, in each pixel and channel apart."""
    shape = (picture.height, picture.width, 3)
    noise = np.random.default_rng(rng.getrandbits(64)).standard_normal(shape, dtype=np.float32) * NOISE
    return Image.fromarray((np.asarray(picture) + noise).round().clip(0, 255).astype(np.uint8))


def tint(colour: str, rng: random.Random | None) -> tuple[int, ...]:
    """A colour or background as grey levels of red, green and blue; with `rng`, jittered."""
    jitter = COLOUR_JITTER if rng else 0
    return tuple(min(255, max(0, level + (rng.randint(-jitter, jitter) if rng else 0))) for level in RGB[colour])


def mask(shape: str, cell: int, x: float, y: float, radius: float) -> Image.Image:
    """The share of each pixel of a square `cell` that the shape around (x, y) covers."""
    x, y, radius = (value * SUPERSAMPLING for value in (x, y, radius))
    mask = Image.new("L", (cell * SUPERSAMPLING,) * 2)
    pen = ImageDraw.Draw(mask)

    def box(half: float) -> tuple[float, float, float, float]:
        return (x - half, y - half, x + half, y + half)

    def corners(radii: list[float]) -> list[tuple[float, float]]:
        turns = [2 * math.pi * i / len(radii) for i in range(len(radii))]
        return [(x + r * math.sin(turn), y - r * math.cos(turn)) for r, turn in zip(radii, turns, strict=True)]

    match shape:
        case "circle":
            pen.ellipse(box(radius), fill=255)
        case "ring":
            pen.ellipse(box(radius), fill=255)
            pen.ellipse(box(radius * 0.55), fill=0)
        case "square":
            pen.rectangle(box(radius * 0.88), fill=255)
        case "triangle":
            pen.polygon(corners([radius * 1.1] * 3), fill=255)
        case "star":
            pen.polygon(corners([radius * 1.12, radius * 0.42] * 5), fill=255)
        case "cross":
            arm = radius * 0.32
            pen.rectangle((x - radius, y - arm, x + radius, y + arm), fill=255)
            pen.rectangle((x - arm, y - radius, x + arm, y + radius), fill=255)
    return mask.reduce(SUPERSAMPLING)
