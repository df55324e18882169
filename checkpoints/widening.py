"""Half-precision weights on a CPU without instructions that multiply them: products of many rows are taken in float32."""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional


FEW_ROWS = 8  # of which the slow product takes less time than to widen a weight


def widen_products(model: nn.Module) -> None:
    """
    Make linear layers and convolutions compute in float32, with weights that stay as they are.

    A weight is widened while its layer computes, and only where it is used for many rows, as in towers and prompts: the
    steps of a generation read it as it is. What comes out has the precision of what goes in.

    Args:
        model (`nn.Module`): all on the CPU, in float16 or bfloat16.
    """
    products: dict[type, Callable[..., torch.Tensor]] = {nn.Linear: _linear, nn.Conv2d: _convolution}
    for layer in model.modules():
        product = products.get(type(layer))
        if product is not None and getattr(layer, "padding_mode", "zeros") == "zeros":
            layer.forward = partial(product, layer)


def _linear(layer: nn.Linear, inputs: torch.Tensor) -> torch.Tensor:
    if inputs.numel() <= FEW_ROWS * layer.in_features:
        return functional.linear(inputs, layer.weight, layer.bias)
    return functional.linear(inputs.float(), *_wide(layer)).to(inputs.dtype)


def _convolution(layer: nn.Conv2d, inputs: torch.Tensor) -> torch.Tensor:
    weight, bias = _wide(layer)
    outputs = functional.conv2d(
        inputs.float(), weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups
    )
    return outputs.to(inputs.dtype)


def _wide(layer: nn.Linear | nn.Conv2d) -> tuple[torch.Tensor, torch.Tensor | None]:
    return layer.weight.float(), None if layer.bias is None else layer.bias.float()
