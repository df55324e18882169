"""Files whose tensors have other names, or other shapes, than a model of transformers: read as transformers loads them."""

import json

import pytest
import torch
from helpers.tiny_language_models import ACCEPTED, RECORD, tiny_config
from transformers import AutoModelForCausalLM
from transformers.conversion_mapping import get_checkpoint_conversion_mapping

from minigpt4.conversion.renamed import RenamedSource
from minigpt4.conversion.sources import Source


ACCEPTED_TYPES = [
    name for name, verdict in json.loads(RECORD.read_text())["language_models"].items() if verdict == ACCEPTED
]
OTHER_NAMES = [name for name in ACCEPTED_TYPES if get_checkpoint_conversion_mapping(name)]


def test_there_are_many():
    assert len(OTHER_NAMES) > 20
    assert {"qwen3_moe", "mixtral", "deepseek_v3"} <= {*OTHER_NAMES}


@pytest.mark.parametrize("model_type", OTHER_NAMES)
def test_every_tensor_is_what_was_saved(model_type, tmp_path):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(tiny_config(model_type))
    model.save_pretrained(tmp_path)
    with torch.device("meta"):
        bare = AutoModelForCausalLM.from_config(tiny_config(model_type))
    source = RenamedSource(Source(tmp_path), bare)
    state = model.state_dict()
    assert source.meta.keys() <= state.keys()
    assert state.keys() - source.meta.keys() <= {*model.all_tied_weights_keys}
    for name, meta in source.meta.items():
        read = source.read(name)
        assert (meta.shape, meta.dtype) == (read.shape, read.dtype)
        assert torch.equal(read, state[name]), name
