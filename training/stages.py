"""Stages 1 and 2 of MiniGPT-4, as a thin layer on transformers' `Trainer`."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
import yaml
from rich.console import Console
from transformers import HfArgumentParser, PreTrainedModel, ProcessorMixin, Trainer, TrainingArguments

from .collation import SequenceArguments, SequenceCollator
from .masks import apply_mask, learning_table
from .schedule import published_schedule


RECIPES = Path(__file__).parent / "recipes"


@dataclass
class StageArguments(TrainingArguments):
    """
    `TrainingArguments` with a mask and the published learning-rate curve.

    Args:
        mask (`str`, *optional*, defaults to `"projector"`):
            What learns: a name of [`minigpt4.training.MASKS`]. Everything else is frozen.
        min_lr (`float`, *optional*, defaults to 8e-5):
            Learning rate at the last step; `learning_rate` is the one after the warm-up.
        warmup_lr (`float`, *optional*, defaults to 1e-6):
            Learning rate at the first step.
    """

    mask: str = field(default="projector", metadata={"help": "What learns: the name of a mask."})
    min_lr: float = field(default=8e-5, metadata={"help": "Learning rate at the last step."})
    warmup_lr: float = field(default=1e-6, metadata={"help": "Learning rate at the first step."})


class StageTrainer(Trainer):
    """
    Trains what the mask names on the published sequences, with the published optimizer and learning rates.

    Args:
        model (`MiniGPT4ForConditionalGeneration`): its `requires_grad` flags are set by the mask.
        args (`StageArguments`): how to train.
        sequence (`SequenceArguments`): the form of the training sequence.
        processing_class (`MiniGPT4Processor`): saved with the model.
        train_dataset: rows with an `image` and its `text`.
        kwargs: further arguments of `Trainer`.

    Example:

    ```python
    >>> args, sequence = load_recipe("stage2", output_dir="runs/stage2")
    >>> StageTrainer(model, args, sequence, processing_class=processor, train_dataset=rows).train()
    ```
    """

    def __init__(
        self,
        model: PreTrainedModel,
        args: StageArguments,
        sequence: SequenceArguments,
        processing_class: ProcessorMixin,
        **kwargs,
    ):
        apply_mask(model, args.mask)
        args.remove_unused_columns = False  # the collator reads columns that no forward has: image and text
        super().__init__(
            model,
            args,
            data_collator=SequenceCollator(processing_class, sequence),
            processing_class=processing_class,
            **kwargs,
        )
        if self.is_world_process_zero():
            Console(stderr=True).print(learning_table(model))

    def create_scheduler(self, num_training_steps: int, optimizer=None):
        if self.lr_scheduler is None:
            self.lr_scheduler = published_schedule(
                optimizer or self.optimizer,
                num_training_steps,
                init_lr=self.args.learning_rate,
                min_lr=self.args.min_lr,
                warmup_lr=self.args.warmup_lr,
                warmup_steps=self.args.get_warmup_steps(num_training_steps),
            )
        return self.lr_scheduler


def load_recipe(name: str | Path, **overrides) -> tuple[StageArguments, SequenceArguments]:
    """
    Reads a recipe.

    Args:
        name (`str` or `Path`): the name of a shipped recipe (`stage1`, `stage2`, …) or the path of a YAML file.
        overrides: arguments that replace the recipe's, such as `output_dir`.

    Returns:
        `StageArguments` and `SequenceArguments`.

    Raises:
        `FileNotFoundError`: if there is no such recipe.
        `ValueError`: if a key of the recipe is unknown.
    """
    path = Path(name) if Path(name).suffix in (".yaml", ".yml") else RECIPES / f"{name}.yaml"
    if not path.is_file():
        shipped = ", ".join(sorted(recipe.stem for recipe in RECIPES.glob("*.yaml")))
        raise FileNotFoundError(f"There is no recipe {str(name)!r}: give a YAML file, or one of {shipped}.")
    parser = HfArgumentParser((StageArguments, SequenceArguments))
    # Recipes are written for accelerators: without one, TrainingArguments wants to be told that the CPU is meant.
    recipe = {"use_cpu": not torch.accelerator.is_available(), **yaml.safe_load(path.read_text())}
    return parser.parse_dict({**recipe, **overrides})
