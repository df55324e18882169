"""How nano is made: every size, number of steps and learning rate."""

from dataclasses import dataclass

from transformers import Blip2QFormerConfig, Blip2VisionConfig, LlamaConfig

from minigpt4.evaluation.scenes.drawing import IMAGE_SIZE
from minigpt4.evaluation.scenes.world import PARTS_PER_SCENE


WIDTH = 128
PATCH_SIZE = 16


@dataclass(frozen=True)
class Pretraining:
    """One part's training from scratch. Matrices learn by Muon at `matrix_lr`, all else by AdamW at `lr`. `float32` is for
    Muon's own arithmetic: quicker on a CPU, but nano's weights come from torch's bfloat16."""

    steps: int
    batch_size: int
    matrix_lr: float = 2e-3
    lr: float = 1e-3
    warmup_steps: int = 100
    weight_decay: float = 0.01
    float32: bool = False


@dataclass(frozen=True)
class NanoRecipe:
    """
    Args:
        towers, lookups, language_model (`Pretraining`): how vision and language are trained from scratch; `lookups` come first.
        row_length (`int`): tokens after which a dialogue of the language model's corpus has no further turn.
        lookup_share (`float`): rows of the corpus that are lookups still.
        fact_noise (`float`): blur on what stands for the picture, in standard deviations of the embeddings.
        captions, descriptions (`int`): how many pictures stage 1 and stage 2 have.
        stage1, stage2 (`str`): recipes of the two stages: names of shipped ones, or paths of YAML files.
    """

    seed: int = 0
    towers: Pretraining = Pretraining(steps=2200, batch_size=64)
    lookups: Pretraining = Pretraining(steps=800, batch_size=16, lr=2e-3, warmup_steps=50)
    language_model: Pretraining = Pretraining(steps=2400, batch_size=24, lr=2e-3, warmup_steps=50)
    row_length: int = 110
    lookup_share: float = 0.15
    fact_noise: float = 0.3
    captions: int = 20_000
    descriptions: int = 3_500
    stage1: str = "nano-stage1"
    stage2: str = "nano-stage2"


def vision_config(image_size: int = IMAGE_SIZE, patch_size: int = PATCH_SIZE) -> Blip2VisionConfig:
    """0.77 M parameters, 0.72 M in nano-v2. `initializer_range` has to be set: the class's default is 1e-10."""
    return Blip2VisionConfig(
        image_size=image_size,
        patch_size=patch_size,
        hidden_size=WIDTH,
        intermediate_size=3 * WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        layer_norm_eps=1e-6,
        initializer_range=0.06,
    )


def qformer_config() -> Blip2QFormerConfig:
    """0.66 M parameters; its queries hold the background, the count and one object each."""
    return Blip2QFormerConfig(
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        encoder_hidden_size=WIDTH,
        cross_attention_frequency=2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.06,
    )


NUM_QUERY_TOKENS = PARTS_PER_SCENE


def text_config(
    vocab_size: int, pad_token_id: int, width: int = WIDTH, mlp_width: int = 352, heads: int = 4, layers: int = 4
) -> LlamaConfig:
    """nano's has 0.89 M parameters. With an `initializer_range` of 0.02 so narrow a model does not learn to copy."""
    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        intermediate_size=mlp_width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        initializer_range=0.08,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=pad_token_id,
    )
