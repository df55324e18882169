"""Training MiniGPT-4: what learns, on which sequences, at which rate."""

from minigpt4.lazy import lazy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .arguments import DataArguments as DataArguments
    from .arguments import ModelArguments as ModelArguments
    from .arguments import SequenceArguments as SequenceArguments
    from .arguments import StageArguments as StageArguments
    from .data.mixtures import MixedSet as MixedSet
    from .data.mixtures import Mixture as Mixture
    from .data.shards import Shards as Shards
    from .lora import lora_config as lora_config
    from .masks import MASKS as MASKS
    from .masks import apply_mask as apply_mask
    from .masks import learning_table as learning_table
    from .recipe import Recipe as Recipe
    from .recipe import load_recipe as load_recipe
    from .recipe import read_recipe as read_recipe
    from .sequences.collation import SequenceCollator as SequenceCollator
    from .sequences.packing import PackingCollator as PackingCollator
    from .sequences.packing import use_packed_attention as use_packed_attention
    from .sequences.templates import training_template as training_template
    from .trainer.finiteness import NonFiniteError as NonFiniteError
    from .trainer.schedule import published_learning_rate as published_learning_rate
    from .trainer.schedule import published_schedule as published_schedule
    from .trainer.stages import StageTrainer as StageTrainer
else:
    __all__ = lazy(__name__)
