"""Drawn scenes with what is said of them, as rows to train on."""

import random
from dataclasses import replace
from itertools import islice
from typing import Any

from minigpt4.evaluation.scenes.boxed import BoxedScene, Request, draw_boxed, request, sample_boxed_scenes
from minigpt4.evaluation.scenes.boxed.wording import CHAT
from minigpt4.evaluation.scenes.drawing import draw
from minigpt4.evaluation.scenes.wording import caption, describe
from minigpt4.evaluation.scenes.world import COLOURS, SHAPES, sample_scenes
from minigpt4.processing.boxes import Box
from minigpt4.processing.tasks import TASKS
from minigpt4.training.row import Row

from .rows import IndexedRows


class DrawnScenes(IndexedRows):
    """`count` pictures to train on, drawn from `seed` on access, each with its `text`: a short caption or a detailed
    description. The same index gives the same row."""

    def __init__(self, seed: str, count: int, detailed: bool):
        self.seed, self.detailed = seed, detailed
        self.scenes = list(islice(sample_scenes(seed), count))

    def __len__(self) -> int:
        return len(self.scenes)

    def draw(self, index: int, seed: int, epoch: int) -> Row:
        scene, rng = self.scenes[index], random.Random(f"{self.seed} {index}")
        return {"image": draw(scene, rng=rng), "text": describe(scene) if self.detailed else caption(scene, rng)}


CONVERSATION = "conversation"
TURNS = (2, 4)  # of a conversation, from and to
# What is wrong in weak rows: how far the sides of boxes are off, in shares of the box, and how many objects are missing, or
# have the wrong colour or shape.
BOX_NOISE, MISSING, WRONG = 0.06, 0.15, 0.1


class DrawnRequests(IndexedRows):
    """
    Pictures with boxes, drawn from `seed` on access, each with requests about it and their answers. The same index gives the
    same row.

    Args:
        seed (`str`): decides everything.
        count (`int`): the number of pictures.
        task (`str`): a key of `TASKS`, `"chat"`, or `"conversation"`: several turns with a task each.
        weak (`bool`, defaults to `False`): answers as found on the web: with boxes not quite in their place, and some
            objects missing or wrong.
        identifiers (`bool`, defaults to `True`): whether requests begin with the identifier of their task.
    """

    def __init__(self, seed: str, count: int, task: str, weak: bool = False, identifiers: bool = True):
        self.seed, self.count, self.task, self.weak, self.identifiers = seed, count, task, weak, identifiers

    def __len__(self) -> int:
        return self.count

    def draw(self, index: int, seed: int, epoch: int) -> Row:
        source = f"{self.seed} {self.task} {index}"
        rng, scene = random.Random(source), next(sample_boxed_scenes(source))
        picture, known = draw_boxed(scene, rng), weakened(scene, rng) if self.weak else scene
        messages = []
        for made in self._requests(known, rng):
            text = made.instruction if self.identifiers else made.words
            messages += [{"role": "user", "content": text}, {"role": "assistant", "content": made.answer}]
        return {"images": [picture], "messages": messages, "task": self.task, "source": source}

    def _requests(self, scene: BoxedScene, rng: random.Random) -> list[Request]:
        if self.task != CONVERSATION:
            return [request(scene, self.task, rng)]
        return [request(scene, rng.choice((*TASKS, CHAT)), rng) for _ in range(rng.randint(*TURNS))]


def weakened(scene: BoxedScene, rng: random.Random) -> BoxedScene:
    """The scene as the web would tell of it."""
    kept = [obj for obj in scene.objects if rng.random() >= MISSING] or [rng.choice(scene.objects)]
    objects = []
    for obj in kept:
        x1, y1, x2, y2 = obj.box
        off = [rng.uniform(-BOX_NOISE, BOX_NOISE) * side for side in (x2 - x1, y2 - y1) * 2]
        box = Box(*(value + noise for value, noise in zip(obj.box, off, strict=True)))
        words: dict[str, Any] = (
            {"colour": rng.choice(COLOURS), "shape": rng.choice(SHAPES)} if rng.random() < WRONG else {}
        )
        objects.append(replace(obj, box=box, **words))
    return replace(scene, objects=tuple(objects))
