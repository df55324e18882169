"""A copy of what was read costs no memory, and goes its own way."""

import torch
from transformers import DynamicCache, LlamaConfig, MistralConfig

from minigpt4.inference.prompt_cache import PromptCache


def states(value: float, length: int) -> torch.Tensor:
    return torch.full((1, 2, length, 4), value)


def test_copies_are_independent_and_hold_the_same_keys():
    kept = PromptCache(LlamaConfig(num_hidden_layers=2))
    cache = kept.take([1, 2, 3, 4])
    for layer in (0, 1):
        cache.update(states(1, 3), states(2, 3), layer)
    kept.keep([1, 2, 3], cache)
    twin = kept.copy()
    theirs = twin.take([1, 2, 9])
    assert theirs.layers[1].keys.data_ptr() == cache.layers[1].keys.data_ptr()
    theirs.update(states(7, 1), states(8, 1), 1)
    assert theirs.layers[1].keys[0, 0, :, 0].tolist() == [1, 1, 7]
    assert kept.shared([1, 2, 3, 4]) == 3
    ours = kept.take([1, 2, 3, 4])
    ours.update(states(5, 1), states(6, 1), 1)
    assert ours.layers[1].values[0, 0, :, 0].tolist() == [2, 2, 2, 6]


def test_what_layers_write_over_is_copied():
    config = MistralConfig(num_hidden_layers=1, sliding_window=4)
    kept, cache = PromptCache(config), DynamicCache(config=config)
    cache.update(states(1, 2), states(2, 2), 0)
    kept.keep([1, 2], cache)
    [theirs] = kept.copy().take([1, 2, 3]).layers
    assert theirs.keys.data_ptr() != cache.layers[0].keys.data_ptr()
    assert torch.equal(theirs.keys, cache.layers[0].keys)
