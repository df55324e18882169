"""How nano-v2 is made: every size, number of steps and learning rate."""

from dataclasses import dataclass, field

from transformers import Blip2VisionConfig, LlamaConfig

from minigpt4.training.nano.settings import Pretraining


IMAGE_SIZE, PATCH_SIZE = 128, 8
VISION_WIDTH = 128
TOKEN_MERGE_SIZE = 4
PATCHES_PER_ROW = IMAGE_SIZE // PATCH_SIZE
NUM_IMAGE_TOKENS = PATCHES_PER_ROW**2 // TOKEN_MERGE_SIZE


@dataclass(frozen=True)
class NanoV2Recipe:
    """
    Args:
        tower, lookups, language_model: how vision and language are trained from scratch; `lookups` come first.
        row_length: tokens after which a dialogue of the language model's corpus has no further turn.
        lookup_share: rows of the corpus that are lookups still.
        code_noise: blur on what stands for the picture, in shares of its codes' standard deviation.
        box_noise: blur on its boxes, in hundredths.
        stage1, stage2, stage3: recipes of the three stages: names of shipped ones, or paths of YAML files.
    """

    seed: int = 0
    tower: Pretraining = field(default_factory=lambda: Pretraining(steps=1600, batch_size=32, float32=True))
    lookups: Pretraining = field(
        default_factory=lambda: Pretraining(steps=1200, batch_size=24, lr=2e-3, warmup_steps=50, float32=True)
    )
    language_model: Pretraining = field(
        default_factory=lambda: Pretraining(steps=2000, batch_size=24, lr=2e-3, warmup_steps=50, float32=True)
    )
    row_length: int = 170
    lookup_share: float = 0.2
    code_noise: float = 0.3
    box_noise: float = 0.5
    stage1: str = "nano-v2-stage1"
    stage2: str = "nano-v2-stage2"
    stage3: str = "nano-v2-stage3"


def vision_config() -> Blip2VisionConfig:
    """0.72 M parameters. `initializer_range` has to be set: the class's default is 1e-10."""
    return Blip2VisionConfig(
        image_size=IMAGE_SIZE,
        patch_size=PATCH_SIZE,
        hidden_size=VISION_WIDTH,
        intermediate_size=3 * VISION_WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        layer_norm_eps=1e-6,
        initializer_range=0.06,
    )


def text_config(vocab_size: int, pad_token_id: int) -> LlamaConfig:
    """With an `initializer_range` of 0.02 so narrow a model does not learn to copy."""
    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=160,
        intermediate_size=400,
        num_hidden_layers=4,
        num_attention_heads=5,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        initializer_range=0.08,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=pad_token_id,
    )
