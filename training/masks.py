"""Frozen-module masks: what learns, and what does not."""

import re
from collections import Counter
from collections.abc import Sequence

import torch
from rich.console import Console
from rich.table import Table
from torch import nn


# A mask names what LEARNS, as patterns over the dotted names of modules and parameters.
MASKS = {
    "projector": ["multi_modal_projector"],  # stages 1 and 2 of MiniGPT-4
    "projector+lora": ["multi_modal_projector", r"lora_\w+"],  # MiniGPT-v2
    "projector+qformer": ["multi_modal_projector", "qformer", "query_tokens"],  # ablation (c) of the MiniGPT-4 paper
    "all": [".*"],
}
"""What learns, by name: patterns for [`apply_mask`]. Everything else is frozen."""


def apply_mask(model: nn.Module, mask: str | Sequence[str]) -> None:
    """
    Freeze everything but what the mask names.

    The frozen parts of a MiniGPT-4 also stay in eval mode when a trainer calls `model.train()`.

    Args:
        model (`nn.Module`): the model, whose `requires_grad` flags are set.
        mask (`str` or sequence of `str`): the name of one of `MASKS`, or patterns: regular expressions that match one
            or more whole components of a parameter's dotted name.

    Raises:
        ValueError: a name is not a mask, or a pattern matches no parameter.

    Example:

    ```python
    >>> apply_mask(model, "projector")
    >>> apply_mask(model, ["multi_modal_projector", "language_model.layers.31"])
    ```
    """
    if isinstance(mask, str):
        if mask not in MASKS:
            raise ValueError(
                f"There is no mask {mask!r}: choose one of {', '.join(MASKS)}, or give a list of patterns."
            )
        mask = MASKS[mask]
    patterns = {pattern: re.compile(rf"(^|\.)({pattern})(\.|$)") for pattern in mask}
    matched = set()
    for name, parameter in model.named_parameters():
        hits = {pattern for pattern, regex in patterns.items() if regex.search(name)}
        matched |= hits
        # PEFT keeps the original of each module in `modules_to_save`.
        parameter.requires_grad_(bool(hits) and ".original_module." not in name)
    if missing := [pattern for pattern in patterns if pattern not in matched]:
        raise ValueError(
            f"The mask pattern {missing[0]!r} matches no parameter of {type(model).__name__}: "
            "give the dotted name of a module, such as 'multi_modal_projector'."
        )


def learning_table(model: nn.Module) -> Table:
    """The trainable parameters of a model, with shapes and counts. Those of repeated layers share a line."""
    table = Table("learns", "of them", "shape", "parameters", title="What learns")
    alike: Counter[tuple[str, torch.Size]] = Counter()
    frozen = 0
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            alike[re.sub(r"\.\d+\.", ".*.", name), parameter.shape] += 1
        else:
            frozen += parameter.numel()
    for (name, shape), count in alike.items():
        table.add_row(name, str(count), " x ".join(map(str, shape)), f"{count * shape.numel():,}")
    table.add_section()
    table.add_row("all that learns", "", "", f"{sum(count * shape.numel() for (_, shape), count in alike.items()):,}")
    table.add_row("frozen", "", "", f"{frozen:,}")
    return table


def print_learning_table(model: nn.Module) -> None:
    """[`learning_table`] on stderr."""
    Console(stderr=True).print(learning_table(model))
