"""The world of the drawn scenes: what a picture can hold, and how scenes are sampled."""

import random
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


BACKGROUNDS = ("white", "black", "gray", "beige")
SIZES = ("small", "large")
COLOURS = ("red", "green", "blue", "yellow", "purple", "pink", "cyan", "brown")
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
# In reading order: an object's index here is its cell in the three-by-three grid.
POSITIONS = ("top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right")
NUMBERS = ("one", "two", "three", "four")
MAX_OBJECTS = len(NUMBERS)
ABSENT = "none"

FACT_WORDS = (*BACKGROUNDS, *NUMBERS, *SIZES, *COLOURS, *SHAPES, *POSITIONS, ABSENT)
PARTS_PER_SCENE = 2 + MAX_OBJECTS

# One scene in eight is never trained on; which ones follows from the scene alone, so every script agrees.
HELD_OUT_SHARE = 8


@dataclass(frozen=True)
class SceneObject:
    """A shape with its size, colour and cell of the picture: `the large blue circle at the top`."""

    size: str
    colour: str
    shape: str
    position: str

    def __str__(self) -> str:
        return f"{self.size} {self.colour} {self.shape}"


WORDS_OF = {"size": SIZES, "colour": COLOURS, "shape": SHAPES, "position": POSITIONS}
OBJECT_FACTS = tuple(WORDS_OF)


@dataclass(frozen=True)
class Scene:
    """A background and one to four objects in different cells, in reading order."""

    background: str
    objects: tuple[SceneObject, ...]

    @property
    def count(self) -> str:
        return NUMBERS[len(self.objects) - 1]

    @property
    def facts(self) -> tuple[tuple[str, ...], ...]:
        """The scene as `PARTS_PER_SCENE` groups of words: background; count; size, colour, shape and position of each
        object in reading order; `ABSENT` where there is no further object."""
        objects = [(obj.size, obj.colour, obj.shape, obj.position) for obj in self.objects]
        return ((self.background,), (self.count,), *objects, *[(ABSENT,)] * (MAX_OBJECTS - len(objects)))

    @property
    def held_out(self) -> bool:
        """Whether the scene is kept for evaluation and never trained on."""
        return is_held_out(sum(self.facts, ()))


def is_held_out(words: Iterable[str]) -> bool:
    """Whether a scene with these facts is kept for evaluation."""
    return zlib.crc32(" ".join(words).encode()) % HELD_OUT_SHARE == 0


def sample_scenes(seed: int | str, held_out: bool = False) -> Iterator[Scene]:
    """Endless random scenes from `seed`: those kept for evaluation (`held_out`) or those to train on."""
    rng = random.Random(f"scenes {seed}")
    while True:
        cells = sorted(rng.sample(range(len(POSITIONS)), rng.randint(1, MAX_OBJECTS)))
        objects = tuple(
            SceneObject(rng.choice(SIZES), rng.choice(COLOURS), rng.choice(SHAPES), POSITIONS[cell]) for cell in cells
        )
        scene = Scene(rng.choice(BACKGROUNDS), objects)
        if scene.held_out == held_out:
            yield scene
