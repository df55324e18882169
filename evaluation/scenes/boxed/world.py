"""The world of the scenes with boxes: objects of the same shapes and colours as elsewhere, anywhere in the picture."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from minigpt4.evaluation.scenes.world import (
    BACKGROUNDS,
    COLOURS,
    NUMBERS,
    POSITIONS,
    SHAPES,
    SIZES,
    Scene,
    SceneObject,
    is_held_out,
)
from minigpt4.processing.boxes import Box


COUNTS = (*NUMBERS, "five", "six")
MAX_BOXED_OBJECTS = len(COUNTS)
# Width and height in pixels: square, landscape and portrait, of nano-v2's own size and larger.
PICTURE_SIZES = ((128, 128), (160, 120), (120, 160), (192, 192), (192, 144), (144, 192))
RADII = {"small": (0.085, 0.105), "large": (0.15, 0.19)}  # from and to, in shares of the shorter side
# How far a shape reaches to the left (and right), up and down, in radii.
EXTENTS = {
    "circle": (1.0, 1.0, 1.0),
    "ring": (1.0, 1.0, 1.0),
    "square": (0.88, 0.88, 0.88),
    "triangle": (0.9526, 1.1, 0.55),
    "star": (1.0652, 1.12, 0.9061),
    "cross": (1.0, 1.0, 1.0),
}
MOST_OVERLAP = 0.15  # of the smaller box
ALIKE_SHARE = 0.5  # of objects after the first, which take colour or shape from an earlier one
# No centre is nearer to the lines between two places, in shares of the picture: the word for its place is never a matter of taste.
PLACE_MARGIN = 0.025
# What nano-v2 sees as one token, in shares of width and height. Two centres are further apart than this in one of them, and
# no centre is within a hair of the lines between tokens: a token never holds two objects, and an object has one token.
APART = (1 / 2, 1 / 8)
TOKEN_MARGIN = 0.0125
TRIES = 60


@dataclass(frozen=True)
class BoxedObject(SceneObject):
    """
    A shape with its place in pixels.

    Args:
        x, y, radius (`float`): the middle of the shape, and its size.
        box (`Box`): what it covers; the word `position` is that of the box's middle.
    """

    x: float
    y: float
    radius: float
    box: Box


@dataclass(frozen=True)
class BoxedScene(Scene):
    """A background and one to six objects in reading order, in a picture of `size` (width, height) pixels. Of two
    objects in one place, size, colour or shape differs."""

    objects: tuple[BoxedObject, ...]
    size: tuple[int, int]

    @property
    def count(self) -> str:
        return COUNTS[len(self.objects) - 1]

    @property
    def facts(self) -> tuple[tuple[str, ...], ...]:
        """Words for all but the exact places: background; size, colour, shape and position of each object."""
        return ((self.background,), *((obj.size, obj.colour, obj.shape, obj.position) for obj in self.objects))

    @property
    def held_out(self) -> bool:
        return is_held_out(sum(self.facts, ()))


def sample_boxed_scenes(seed: int | str, held_out: bool = False) -> Iterator[BoxedScene]:
    """Endless random scenes from `seed`: those kept for evaluation (`held_out`: one combination of words in eight) or
    those to train on."""
    rng = random.Random(f"boxed scenes {seed}")
    while True:
        scene = _sample(rng)
        if scene.held_out == held_out:
            yield scene


def _sample(rng: random.Random) -> BoxedScene:
    size, background = rng.choice(PICTURE_SIZES), rng.choice(BACKGROUNDS)
    objects: list[BoxedObject] = []
    for _ in range(rng.randint(1, MAX_BOXED_OBJECTS)):
        kind = rng.choice(SIZES), *_colour_and_shape(rng, objects)
        for _ in range(TRIES):  # where there is no room for it, there is one object less
            obj = _place(rng, size, *kind)
            if obj and all(_go_together(obj, other, size) for other in objects):
                objects.append(obj)
                break
    return BoxedScene(background, tuple(sorted(objects, key=lambda obj: _reading_order(obj, size))), size)


def _colour_and_shape(rng: random.Random, others: list[BoxedObject]) -> tuple[str, str]:
    colour, shape = rng.choice(COLOURS), rng.choice(SHAPES)
    if others and rng.random() < ALIKE_SHARE:
        other, lot = rng.choice(others), rng.random()
        colour = other.colour if lot < 0.75 else colour
        shape = other.shape if lot > 0.25 else shape
    return colour, shape


def _place(rng: random.Random, picture: tuple[int, int], size: str, colour: str, shape: str) -> BoxedObject | None:
    width, height = picture
    radius = min(picture) * rng.uniform(*RADII[size])
    side, up, down = (extent * radius for extent in EXTENTS[shape])
    x, y = rng.uniform(side, width - side), rng.uniform(up, height - down)
    box = Box(x - side, y - up, x + side, y + down)
    shares = x / width, (box.y1 + box.y2) / 2 / height
    if any(_to_line(share, 1 / 3) < PLACE_MARGIN for share in shares):
        return None
    if any(_to_line(share, side) < TOKEN_MARGIN for share, side in zip(shares, APART, strict=True)):
        return None
    column, row = (int(share * 3) for share in shares)
    return BoxedObject(size, colour, shape, POSITIONS[3 * row + column], x, y, radius, box)


def _to_line(share: float, spacing: float) -> float:
    """How far it is to the next of lines `spacing` apart, of which the first and the last are the picture's edges."""
    return abs(share - spacing * round(share / spacing))


def _go_together(obj: BoxedObject, other: BoxedObject, picture: tuple[int, int]) -> bool:
    """Whether both can be in one scene: told apart by words, hardly overlapping, and with centres far enough apart."""
    a, b = obj.box, other.box
    across, along = min(a.x2, b.x2) - max(a.x1, b.x1), min(a.y2, b.y2) - max(a.y1, b.y1)
    smaller = min((box.x2 - box.x1) * (box.y2 - box.y1) for box in (a, b))
    if across > 0 and along > 0 and across * along > MOST_OVERLAP * smaller:
        return False
    (ax, ay), (bx, by) = (box_centre(each.box, picture) for each in (obj, other))
    if abs(ax - bx) < APART[0] and abs(ay - by) < APART[1]:
        return False
    return (str(obj), obj.position) != (str(other), other.position)


def box_centre(box: Box, picture: tuple[int, int]) -> tuple[float, float]:
    """The middle of a box, in shares of the picture's width and height."""
    return (box.x1 + box.x2) / 2 / picture[0], (box.y1 + box.y2) / 2 / picture[1]


def _reading_order(obj: BoxedObject, picture: tuple[int, int]) -> tuple[int, float]:
    """Lines of an eighth of the height from the top, and in each from the left."""
    x, y = box_centre(obj.box, picture)
    return int(y / APART[1]), x
