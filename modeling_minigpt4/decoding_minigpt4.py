"""A faster product for the steps of a generation on the CPU, where a linear layer sees a row or a few."""

from contextlib import contextmanager
from functools import partial

import torch
from torch import nn
from torch.nn import functional


# Where the other order pays, in rows; and from how many elements on a weight is large. Measured: benchmarks/README.md.
FEW_ROWS, FEW_ROWS_OF_LARGE, LARGE = 8, 32, 10_000_000
SHORT = 768  # columns up to which two rows are read faster than one


def linear_of_few_rows(layer: nn.Linear, inputs: torch.Tensor) -> torch.Tensor:
    """
    What `layer` gives; where the inputs are few rows, as the weight times their transpose.

    MKL reads a matrix up to three times as fast in this order.
    """
    rows = inputs.reshape(-1, inputs.shape[-1])
    count = len(rows)
    if not _pays(layer, count):
        return functional.linear(inputs, layer.weight, layer.bias)
    if count == 1:
        rows = torch.cat((rows, rows))
    outputs = torch.mm(layer.weight, rows.t()).t()[:count].contiguous()  # in the memory layout of a Linear's output
    if layer.bias is not None:
        outputs = outputs + layer.bias
    return outputs.reshape(*inputs.shape[:-1], -1)


def _pays(layer: nn.Linear, rows: int) -> bool:
    if rows == 1:
        return layer.in_features <= min(SHORT, layer.out_features) and torch.get_num_threads() > 1
    return 1 < rows <= (FEW_ROWS if layer.weight.numel() < LARGE else FEW_ROWS_OF_LARGE)


@contextmanager
def fast_linears(*modules: nn.Module):
    """Inside, linear layers of `modules` take few rows the fast way."""
    layers = [layer for module in modules for layer in module.modules() if _is_plain(layer)]
    for layer in layers:
        layer.forward = partial(linear_of_few_rows, layer)
    try:
        yield
    finally:
        for layer in layers:
            layer.__dict__.pop("forward", None)


def _is_plain(layer: nn.Module) -> bool:
    return (
        torch.backends.mkl.is_available()
        and type(layer) is nn.Linear
        and type(layer.weight.data) is torch.Tensor  # not a shard of a tensor-parallel one
        and layer.weight.device.type == "cpu"
        and layer.weight.dtype == torch.float32
        and "forward" not in layer.__dict__  # replaced, for example for offloading
    )
