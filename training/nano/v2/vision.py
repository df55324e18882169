"""The eyes of nano-v2: a plain ViT that learns to see each object of a scene, and its box, where the middle of it is."""

import random
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from transformers import Blip2VisionModel

from minigpt4.evaluation.scenes.boxed import BoxedScene, draw_boxed, sample_boxed_scenes
from minigpt4.training.nano.pretraining import pretrain
from minigpt4.training.nano.vision import LN_VISION_EPS, to_pixel_values

from .codes import codes, covering_tokens, read_words, side_labels, word_labels
from .settings import (
    IMAGE_SIZE,
    NUM_IMAGE_TOKENS,
    PATCHES_PER_ROW,
    TOKEN_MERGE_SIZE,
    VISION_WIDTH,
    NanoV2Recipe,
    vision_config,
)


NAMING_WEIGHT = 0.1
HALF_WAY = 2  # blocks
# Weight of what is nothing in the beginning, and the share of the steps after which it is that of an object.
NOTHING, NOTHING_GROWS = 0.05, 0.6


def new_tower() -> Blip2VisionModel:
    """A ViT that has learned nothing, but which knows from the start which patches are near each other."""
    tower = Blip2VisionModel._from_config(vision_config())
    tower.post_layernorm.eps = LN_VISION_EPS
    with torch.no_grad():
        tower.embeddings.position_embedding[0, 1:] = _grid_positions()
    return tower


def _grid_positions() -> torch.Tensor:
    """Sines and cosines of row and column (patches, width)."""
    quarter = VISION_WIDTH // 4
    turns = torch.arange(PATCHES_PER_ROW)[:, None] / PATCHES_PER_ROW ** (torch.arange(quarter) / quarter)
    waves = torch.cat((turns.sin(), turns.cos()), -1)
    rows, columns = waves.repeat_interleave(PATCHES_PER_ROW, 0), waves.repeat(PATCHES_PER_ROW, 1)
    return torch.cat((rows, columns), -1)


def to_pixels(scenes: list[BoxedScene], rng: random.Random) -> torch.Tensor:
    """Pictures of scenes as nano-v2's image processor gives them."""
    pictures = [draw_boxed(scene, rng).resize((IMAGE_SIZE,) * 2, Image.Resampling.BICUBIC) for scene in scenes]
    return to_pixel_values([np.asarray(picture) for picture in pictures])


def pretrain_tower(recipe: NanoV2Recipe, kept: Path | None = None) -> Blip2VisionModel:
    """Train a ViT to hold the code of each token in all four of its patches, see [`minigpt4.training.nano.v2.codes`].

    The loss is the squared distance to the codes, plus cross-entropy between the words that could stand in place of the
    right ones. What is nothing counts for little in the beginning, or it would hide the few objects. Half-way up, through a
    head that is thrown away, every patch of an object has to know the object's code: many more places to learn from. This
    is a stronger supervision than CLIP's or EVA's. `kept` as in [`pretrain`]."""
    torch.manual_seed(recipe.seed)
    tower = new_tower()
    head = nn.Sequential(nn.LayerNorm(VISION_WIDTH), nn.Linear(VISION_WIDTH, VISION_WIDTH))

    def loss_at(step: int) -> torch.Tensor:
        source = f"tower {recipe.seed} {step}"
        scenes = list(islice(sample_boxed_scenes(source), recipe.tower.batch_size))
        seen = tower(pixel_values=to_pixels(scenes, random.Random(source)), output_hidden_states=True)
        words = word_labels(scenes).flatten(0, 1)
        wanted = codes(words, side_labels(scenes).flatten(0, 1))
        is_object = words[:, 0] == 1
        weights = is_object + ~is_object * min(1.0, NOTHING + step / (NOTHING_GROWS * recipe.tower.steps))
        weights = (weights / is_object.sum())[:, None] / TOKEN_MERGE_SIZE

        outputs = seen.last_hidden_state[:, 1:].unflatten(1, (-1, TOKEN_MERGE_SIZE)).flatten(0, 1)
        distance = ((outputs - wanted[:, None]).square().mean(-1) * weights).sum()
        naming = [
            (
                F.cross_entropy(scores.transpose(1, 2), label[:, None].expand(-1, TOKEN_MERGE_SIZE), reduction="none")
                * weights
            )
            for scores, label in zip(read_words(outputs), words.unbind(-1), strict=True)
        ]
        covering = covering_tokens(scenes)
        places = (covering + torch.arange(len(scenes))[:, None] * NUM_IMAGE_TOKENS)[covering >= 0]
        half_way = F.mse_loss(head(seen.hidden_states[HALF_WAY][:, 1:][covering >= 0]), wanted[places])
        return distance + half_way + NAMING_WEIGHT * torch.stack(naming).sum()

    pretrain(nn.ModuleList([tower, head]), loss_at, recipe.tower, "ViT", kept)
    return tower
