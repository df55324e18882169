"""From the values of a recipe to typed arguments."""

import torch
from trl import TrlParser

from .arguments import DataArguments, ModelArguments, SequenceArguments, StageArguments


def parse(values: dict) -> tuple[StageArguments, SequenceArguments, ModelArguments, DataArguments]:
    """
    The arguments of a run.

    Args:
        values (`dict`): of the keys that [`~minigpt4.training.recipe_keys.recipe_keys`] knows; texts are converted.

    Raises:
        ValueError: a value is not of its type, or is not one that its key takes.
    """
    parser = _Parser([StageArguments, SequenceArguments, ModelArguments, DataArguments])  # type: ignore[list-item]
    # Recipes are written for accelerators: without one, TrainingArguments wants to be told that the CPU is meant.
    values = {"use_cpu": not torch.accelerator.is_available(), **values}
    known = {action.dest: action for action in parser._actions}
    for key, value in values.items():
        if value is False and known[key].nargs != "?":
            values[key] = "no"  # what YAML makes of `save_strategy: no`
    parser.set_defaults_with_config(**values)
    return parser.parse_args_into_dataclasses(args=[], look_for_args_file=False)  # type: ignore[return-value]


class _Parser(TrlParser):
    """TRL's parser, with one-line exceptions as errors."""

    def error(self, message: str):
        raise ValueError(f"Invalid recipe: {message}")
