"""How nano-v2 is made: every size, number of steps and learning rate."""

from dataclasses import dataclass
from functools import partial

from minigpt4.training.nano import settings as nano
from minigpt4.training.nano.settings import Pretraining


IMAGE_SIZE, PATCH_SIZE = 128, 16
VISION_WIDTH = nano.WIDTH
TOKEN_MERGE_SIZE = 4
PATCHES_PER_ROW = IMAGE_SIZE // PATCH_SIZE
NUM_IMAGE_TOKENS = PATCHES_PER_ROW**2 // TOKEN_MERGE_SIZE


@dataclass(frozen=True)
class NanoV2Recipe:
    """
    Args:
        tower, lookups, language_model, ends: how vision and language are trained from scratch; the language model first on
            `lookups` alone, and at last on where their `ends` are.
        row_length: tokens after which a dialogue of the language model's corpus has no further turn.
        lookup_share: rows of the corpus that are lookups still.
        code_noise: blur on what stands for the picture, in shares of its codes' standard deviation.
        box_noise: blur on its boxes, in hundredths.
        stage1, stage2, stage3: recipes of the three stages: names of shipped ones, or paths of YAML files.
    """

    seed: int = 0
    tower: Pretraining = Pretraining(steps=4500, batch_size=64, float32=True)
    lookups: Pretraining = Pretraining(steps=1500, batch_size=24, lr=2e-3, warmup_steps=50, float32=True)
    language_model: Pretraining = Pretraining(steps=3600, batch_size=24, lr=2e-3, warmup_steps=50, float32=True)
    ends: Pretraining = Pretraining(steps=800, batch_size=24, matrix_lr=1e-3, lr=1e-3, warmup_steps=50, float32=True)
    row_length: int = 140
    lookup_share: float = 0.2
    code_noise: float = 0.3
    box_noise: float = 0.5
    stage1: str = "nano-v2-stage1"
    stage2: str = "nano-v2-stage2"
    stage3: str = "nano-v2-stage3"


vision_config = partial(nano.vision_config, IMAGE_SIZE, PATCH_SIZE)
text_config = partial(nano.text_config, width=160, mlp_width=400, heads=5, layers=5)
