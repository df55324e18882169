"""What nano-v2's vision tower learns to say of a scene: a code for each token of the picture, in all four of its patches.

The token in which the middle of an object's box lies carries all that is known of the object; every other token carries
`nothing`. A code is a sum of orthonormal directions, one for each word, and of a smooth curve for each side of the box in
directions of its own, so that one linear map can read any of it."""

import math
from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F

from minigpt4.evaluation.scenes.boxed.world import BoxedObject, BoxedScene, box_centre
from minigpt4.evaluation.scenes.world import BACKGROUNDS, COLOURS, POSITIONS, SHAPES, SIZES

from .settings import NUM_IMAGE_TOKENS, PATCHES_PER_ROW, TOKEN_MERGE_SIZE, VISION_WIDTH


PRESENCE = ("nothing", "object")
# One word of each group is true of a token; nothing has a background alone.
GROUPS = {
    "presence": PRESENCE,
    "background": BACKGROUNDS,
    "size": SIZES,
    "colour": COLOURS,
    "shape": SHAPES,
    "position": POSITIONS,
}
WORDS = tuple(word for words in GROUPS.values() for word in words)
# Of the curve on which a side of a box lies, in hundredths: the long ones say where about, the short ones exactly.
PERIODS = (200.0, 100.0, 50.0, 25.0, 12.5, 6.25)
SIDES = 4
FACTS = len(GROUPS)


def curve(hundredths: torch.Tensor) -> torch.Tensor:
    """Sides of boxes (…) as points of norm 1 (…, 2 * len(PERIODS)), the nearer the sides the nearer."""
    turns = 2 * math.pi * hundredths[..., None] / hundredths.new_tensor(PERIODS)
    return torch.cat((turns.cos(), turns.sin()), -1) / len(PERIODS) ** 0.5


@cache
def directions() -> tuple[torch.Tensor, torch.Tensor]:
    """For words (words, width) and for the sides' curves (4 * 2 * len(PERIODS), width): all orthonormal, with mean 0 as
    after a LayerNorm."""
    sides = SIDES * 2 * len(PERIODS)
    random_rows = torch.randn(VISION_WIDTH, len(WORDS) + sides, generator=torch.Generator().manual_seed(0))
    rows = torch.linalg.qr(random_rows - random_rows.mean(0))[0].T.contiguous()
    return rows[: len(WORDS)], rows[len(WORDS) :]


def word_labels(scenes: Sequence[BoxedScene]) -> torch.Tensor:
    """Which word of each group is true of each token (scenes, tokens, groups), -100 where none is."""
    labels = torch.full((len(scenes), NUM_IMAGE_TOKENS, FACTS), -100)
    for rows, scene in zip(labels, scenes, strict=True):
        rows[:, 0], rows[:, 1] = 0, BACKGROUNDS.index(scene.background)
        for obj in scene.objects:
            facts = SIZES.index(obj.size), COLOURS.index(obj.colour), SHAPES.index(obj.shape)
            rows[token_of(obj, scene), 0] = 1
            rows[token_of(obj, scene), 2:] = torch.tensor((*facts, POSITIONS.index(obj.position)))
    return labels


def side_labels(scenes: Sequence[BoxedScene]) -> torch.Tensor:
    """The sides of the box in each token, in hundredths, not rounded (scenes, tokens, 4), 0 where there is none."""
    labels = torch.zeros(len(scenes), NUM_IMAGE_TOKENS, SIDES)
    for rows, scene in zip(labels, scenes, strict=True):
        for obj in scene.objects:
            sides = [100 * value / side for value, side in zip(obj.box, scene.size * 2, strict=True)]
            rows[token_of(obj, scene)] = torch.tensor(sides)
    return labels


def token_of(obj: BoxedObject, scene: BoxedScene) -> int:
    """In which token of the picture the middle of an object's box lies."""
    x, y = box_centre(obj.box, scene.size)
    return (int(y * PATCHES_PER_ROW) * PATCHES_PER_ROW + int(x * PATCHES_PER_ROW)) // TOKEN_MERGE_SIZE


def covering_tokens(scenes: Sequence[BoxedScene]) -> torch.Tensor:
    """For each patch the token of the uppermost object whose box it lies in (scenes, patches), -1 where there is none."""
    covering = torch.full((len(scenes), PATCHES_PER_ROW, PATCHES_PER_ROW), -1)
    for patches, scene in zip(covering, scenes, strict=True):
        for obj in scene.objects:
            sides = [value / side for value, side in zip(obj.box, scene.size * 2, strict=True)]
            left, top, right, bottom = (round(share * PATCHES_PER_ROW) for share in sides)
            patches[top:bottom, left:right] = token_of(obj, scene)
    return covering.flatten(1)


def codes(words: torch.Tensor, sides: torch.Tensor) -> torch.Tensor:
    """The codes (…, width) of `word_labels` and `side_labels`, each of the norm that a LayerNorm gives."""
    word_rows, side_rows = directions()
    starts = torch.tensor([WORDS.index(group[0]) for group in GROUPS.values()])
    one_hot = F.one_hot((words + starts).clamp(min=0), len(WORDS)) * (words >= 0)[..., None]
    named = one_hot.sum(-2).float() @ word_rows
    placed = curve(sides).flatten(-2) @ side_rows
    return F.normalize(named + placed * (words[..., :1] == 1), dim=-1) * VISION_WIDTH**0.5


def read_words(outputs: torch.Tensor) -> list[torch.Tensor]:
    """Scores of the words of each group [(…, words of the group)], from what a token holds (…, width)."""
    return list((outputs @ directions()[0].T).split([len(words) for words in GROUPS.values()], -1))


def read_sides(outputs: torch.Tensor) -> torch.Tensor:
    """The sides (…, 4) in hundredths that the curves in `outputs` (…, width) are nearest to, in tenths."""
    points = (outputs @ directions()[1].T).unflatten(-1, (SIDES, -1))
    candidates = torch.arange(0, 100.05, 0.1)
    return candidates[(points @ curve(candidates).T).argmax(-1)]
