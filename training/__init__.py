"""Training MiniGPT-4: what learns, on which sequences, at which rate."""

from .collation import SequenceArguments, SequenceCollator
from .masks import MASKS, apply_mask, learning_table
from .schedule import published_learning_rate, published_schedule
from .stages import StageArguments, StageTrainer, load_recipe


__all__ = [
    "MASKS",
    "SequenceArguments",
    "SequenceCollator",
    "StageArguments",
    "StageTrainer",
    "apply_mask",
    "learning_table",
    "load_recipe",
    "published_learning_rate",
    "published_schedule",
]
