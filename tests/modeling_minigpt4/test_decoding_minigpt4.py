"""The fast product of few rows is the usual one, and leaves the layers as they were."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from minigpt4.modeling_minigpt4.decoding_minigpt4 import fast_linears


@pytest.mark.parametrize("shape", [(1, 1, 8), (4, 1, 8), (2, 2, 8), (3, 8), (8,), (5, 1, 8), (9, 8), (0, 8)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("width", [4, 24])
def test_gives_what_the_layer_gives(shape, bias, width):
    layer = nn.Linear(8, width, bias=bias)
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    expected = layer(inputs)
    with fast_linears(nn.Sequential(layer)):
        torch.testing.assert_close(layer(inputs), expected)
        assert layer(inputs).is_contiguous()  # DeepSeek-V2 views it as complex numbers


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="for MKL only")
def test_takes_the_layers_that_it_can_and_gives_them_back():
    layers = nn.ModuleDict({"plain": nn.Linear(4, 8), "short": nn.Linear(4, 8).half()})
    layers["hooked"] = copy.deepcopy(layers["plain"])
    layers["hooked"].forward = torch.relu  # as offloading replaces it
    inside = []

    def generate():
        with fast_linears(layers):
            inside.extend(name for name, layer in layers.items() if isinstance(layer.forward, partial))
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        generate()
    assert inside == ["plain"]
    assert [name for name, layer in layers.items() if "forward" in vars(layer)] == ["hooked"]
    assert layers["hooked"].forward is torch.relu
