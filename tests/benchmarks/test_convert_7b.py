"""The files that conversion is measured on are such that it converts them, and finds each of their weights again."""

import pytest

from benchmarks.answer_7b import answered
from benchmarks.convert_7b import write_files
from minigpt4 import MiniGPT4ForConditionalGeneration
from minigpt4.conversion import convert, verify


TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
QFORMER = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
TEXT = {"hidden_size": 64, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.mark.parametrize("family", ["vicuna", "v2"])
def test_the_files_are_converted(family, tmp_path):
    config = {"vision_config": TOWER} | ({"qformer_config": QFORMER} if family == "vicuna" else {})
    files = write_files(family, tmp_path, pieces=320, text=TEXT, config=config)
    folder = convert(family, **files, output=tmp_path / "whole", quiet=True)
    files.pop("config")
    assert not verify(folder, **files, quiet=True).problems
    model = MiniGPT4ForConditionalGeneration.from_pretrained(folder)
    assert model.config.text_config.vocab_size == 321 + (family == "vicuna")
    assert (model.model.qformer is not None) == (family == "vicuna")
    found, chosen = answered(str(folder)), answered(str(folder), "bfloat16")
    assert (chosen["dtype"], chosen["said"]) == ("bfloat16", [])
    [said] = found["said"]  # the files are in float16
    assert f"computing in {found['dtype']}" in said
    assert min(found["loading_s"], found["first_token_s"], found["further_token_s"]) > 0
