"""The processes of a run: one, or those of `accelerate launch`."""

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object, parse_flag_from_env


def processes() -> PartialState:
    """This process among the others. On a machine without an accelerator they talk by gloo, which accelerate wants to be told."""
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available())


def gathered(values: list) -> list:
    """What all processes have, in every one of them."""
    return gather_object(values) if processes().num_processes > 1 else values


def from_first(value):
    """What the first process has, in every one of them."""
    held = [value]
    if processes().num_processes > 1:
        broadcast_object_list(held)
    return held[0]
