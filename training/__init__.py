"""Training MiniGPT-4: what learns, on which sequences, at which rate."""

from .arguments import DataArguments, ModelArguments, StageArguments
from .data.mixtures import MixedSet, Mixture
from .data.shards import Shards
from .lora import lora_config
from .masks import MASKS, apply_mask, learning_table
from .recipe import Recipe, load_recipe, read_recipe
from .sequences.collation import SequenceArguments, SequenceCollator
from .sequences.packing import PackingCollator, use_packed_attention
from .sequences.templates import training_template
from .trainer.finiteness import NonFiniteError
from .trainer.schedule import published_learning_rate, published_schedule
from .trainer.stages import StageTrainer


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
