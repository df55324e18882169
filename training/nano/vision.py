"""The eyes of nano: a ViT and a Q-Former that learn to see the facts of a scene, each object in a query of its own."""

import random
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import Blip2QFormerModel, Blip2VisionModel
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from minigpt4.evaluation.scenes.drawing import IMAGE_SIZE, draw
from minigpt4.evaluation.scenes.world import COLOURS, FACT_WORDS, POSITIONS, SHAPES, SIZES, Scene, sample_scenes

from .pretraining import pretrain
from .settings import NUM_QUERY_TOKENS, PATCH_SIZE, WIDTH, NanoRecipe, qformer_config, vision_config


LN_VISION_EPS = 1e-5  # of the published model, and of ours
CODE_WEIGHT, CELL_WEIGHT = 0.3, 0.3


class Towers(nn.Module):
    """The vision tower, the queries and the Q-Former, under the names they have in `MiniGPT4Model`."""

    def __init__(self):
        super().__init__()
        self.vision_tower = Blip2VisionModel._from_config(vision_config())
        self.vision_tower.post_layernorm.eps = LN_VISION_EPS
        self.qformer = Blip2QFormerModel._from_config(qformer_config())
        self.query_tokens = nn.Parameter(torch.randn(1, NUM_QUERY_TOKENS, WIDTH) * 0.5)

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Patches (batch, patches + 1, width) and queries (batch, queries, width) of `pixel_values`."""
        patches = self.vision_tower(pixel_values=pixel_values).last_hidden_state
        queries = self.query_tokens.expand(len(pixel_values), -1, -1)
        return patches, self.qformer(query_embeds=queries, encoder_hidden_states=patches).last_hidden_state


class CellHeads(nn.Module):
    """Thrown away after training: what stands in each cell of the grid, read from the mean of the cell's patches.
    It gives the ViT something to learn before the Q-Former can read it."""

    def __init__(self):
        super().__init__()
        self.classes = [len(words) + 1 for words in (SIZES, COLOURS, SHAPES)]  # the first class: nothing there
        self.linear = nn.Linear(WIDTH, sum(self.classes))

    def forward(self, patches: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss on `labels` (batch, 9, 3)."""
        side = IMAGE_SIZE // PATCH_SIZE // 3  # of a cell, in patches
        cells = patches[:, 1:].unflatten(1, (3, side, 3, side)).mean((2, 4)).flatten(1, 2)
        logits = self.linear(cells).split(self.classes, -1)
        losses = [F.cross_entropy(part.flatten(0, 1), labels[..., i].flatten()) for i, part in enumerate(logits)]
        return torch.stack(losses).sum()


def fact_codes() -> torch.Tensor:
    """The throwaway head of the queries, the same for all of them and not learned: one direction for each word that
    can be a fact, orthonormal (words, width). A query holds the sum of its words' directions, so that one linear map can
    make the sum of the words' embeddings of it, whichever query it is."""
    random_rows = torch.randn(WIDTH, len(FACT_WORDS), generator=torch.Generator().manual_seed(0))
    return torch.linalg.qr(random_rows - random_rows.mean(0))[0].T.contiguous()  # mean 0, as after a LayerNorm


def to_pixel_values(pictures: list[np.ndarray]) -> torch.Tensor:
    """What nano's image processor gives for pictures of its own size."""
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD))
    return (pixels - mean) / std


def fact_labels(scenes: list[Scene]) -> torch.Tensor:
    """Which words each query holds (scenes, queries, words), with equal shares that add up to 1."""
    labels = torch.zeros(len(scenes), NUM_QUERY_TOKENS, len(FACT_WORDS))
    for queries, scene in zip(labels, scenes, strict=True):
        for query, words in zip(queries, scene.facts, strict=True):
            query[[FACT_WORDS.index(word) for word in words]] = 1 / len(words)
    return labels


def cell_labels(scenes: list[Scene]) -> torch.Tensor:
    """Size, colour and shape in each cell (scenes, 9, 3), 0 where there is nothing."""
    labels = torch.zeros(len(scenes), len(POSITIONS), 3, dtype=torch.long)
    for row, scene in zip(labels, scenes, strict=True):
        for obj in scene.objects:
            facts = SIZES.index(obj.size), COLOURS.index(obj.colour), SHAPES.index(obj.shape)
            row[POSITIONS.index(obj.position)] = torch.tensor(facts) + 1
    return labels


def pretrain_towers(recipe: NanoRecipe) -> Towers:
    """Train ViT and Q-Former jointly to hold the background, the count and each object of a scene in queries of their own.

    The loss is cross-entropy against `fact_codes`, plus the squared distance to the right code, so that the outputs
    hold nothing else. This is a stronger supervision than BLIP-2's objectives give."""
    torch.manual_seed(recipe.seed)
    towers, cell_heads, codes = Towers(), CellHeads(), fact_codes()
    scenes = sample_scenes(f"towers {recipe.seed}")
    rng = random.Random(f"towers {recipe.seed}")

    def loss_at(step: int) -> torch.Tensor:
        batch = list(islice(scenes, recipe.towers.batch_size))
        patches, queries = towers(to_pixel_values([np.asarray(draw(scene, rng=rng)) for scene in batch]))
        labels = fact_labels(batch)
        naming = F.cross_entropy((queries @ codes.T).flatten(0, 1), labels.flatten(0, 1))
        distance = F.mse_loss(queries, F.normalize(labels @ codes, dim=-1) * WIDTH**0.5)
        return naming + CODE_WEIGHT * distance + CELL_WEIGHT * cell_heads(patches, cell_labels(batch))

    pretrain(nn.ModuleList([towers, cell_heads]), loss_at, recipe.towers, "ViT and Q-Former")
    return towers
