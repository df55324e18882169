"""Training MiniGPT-4: what learns, on which sequences, at which rate."""

from .arguments import DataArguments, ModelArguments, StageArguments
from .collation import SequenceArguments, SequenceCollator
from .finiteness import NonFiniteError
from .lora import lora_config
from .masks import MASKS, apply_mask, learning_table
from .mixing import MixedSet, Mixture
from .packing import PackingCollator, use_packed_attention
from .recipe import Recipe, load_recipe, read_recipe
from .schedule import published_learning_rate, published_schedule
from .shards import Shards
from .stages import StageTrainer
from .templates import training_template


__all__ = [
    "MASKS",
    "DataArguments",
    "MixedSet",
    "Mixture",
    "ModelArguments",
    "NonFiniteError",
    "PackingCollator",
    "Recipe",
    "SequenceArguments",
    "SequenceCollator",
    "Shards",
    "StageArguments",
    "StageTrainer",
    "apply_mask",
    "learning_table",
    "load_recipe",
    "lora_config",
    "published_learning_rate",
    "published_schedule",
    "read_recipe",
    "training_template",
    "use_packed_attention",
]
