"""Drawn scenes with their captions or descriptions, as rows to train on."""

import random
from itertools import islice

from minigpt4.evaluation.scenes.drawing import draw
from minigpt4.evaluation.scenes.wording import caption, describe
from minigpt4.evaluation.scenes.world import sample_scenes
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
