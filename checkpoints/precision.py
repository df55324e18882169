"""In which precision a checkpoint is computed: float16 is for GPUs, a CPU takes several times as long over it."""

import gc
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar


if TYPE_CHECKING:
    from transformers import PreTrainedModel

_Read = TypeVar("_Read")

# What `torch.cpu.get_capabilities` calls instructions that multiply bfloat16: of x86, of x86's tiles, of ARM.
BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
SHARE = 0.9  # of the free memory that weights may take


class PrecisionWarning(UserWarning):
    """The weights are computed in another precision than they are stored in."""


def read_suited(read: Callable[[str], _Read], dtype: str, model_of: "Callable[[_Read], PreTrainedModel]") -> _Read:
    """
    Load a checkpoint with `dtype`; with `"auto"`, what would be computed in float16 on a CPU is loaded in another precision.

    Weights are mapped, so that loading them as they are stored takes no memory, and only then it is known what and where
    they are. Converted, each of them is read and written once. Where the CPU is slow with what they are loaded in, products
    of many rows are taken in float32 ([`~minigpt4.checkpoints.widening.widen_products`]).

    Args:
        read (`Callable`): loads the checkpoint, or a tuple with it, in a precision.
        dtype (`str`): what was asked for.
        model_of (`Callable`): the model in what `read` returns.
    """
    import torch

    loaded = read(dtype)
    model = model_of(loaded)
    if getattr(model, "is_quantized", False) or any(each.device.type != "cpu" for each in model.parameters()):
        return loaded
    if dtype == "auto" and model.dtype == torch.float16:
        better, why = _instead(model.num_parameters())
        warnings.warn(
            f"float16 is slow on a CPU: computing in {better}{why} (--dtype chooses another)", PrecisionWarning, 2
        )
        del loaded, model
        gc.collect()
        loaded = read(better)
        model = model_of(loaded)
    if model.dtype in (torch.float16, torch.bfloat16) and not _multiplies_bfloat16():
        from .widening import widen_products

        widen_products(model)
    return loaded


def _multiplies_bfloat16() -> bool:
    import torch

    can = torch.cpu.get_capabilities()
    return any(can.get(name) for name in BFLOAT16)


def _instead(parameters: int) -> tuple[str, str]:
    """The precision in which this CPU is fastest with so many parameters, and what is to be said about it."""
    from accelerate.utils import get_max_memory

    if _multiplies_bfloat16():
        return "bfloat16", ""
    if 4 * parameters <= SHARE * get_max_memory()["cpu"]:
        return "float32", ""
    return "bfloat16", ", which this CPU is slow with, too: float32 does not fit into the free memory"
