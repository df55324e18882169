import re

import pytest
from transformers import (
    AutoConfig,
    BertConfig,
    Blip2QFormerConfig,
    LlamaConfig,
)

from minigpt4 import MiniGPT4Config


def test_defaults_are_minigpt4_with_a_llama_of_7b():
    config = MiniGPT4Config()
    assert config.num_image_tokens == 32
    assert config.projector_input_size == 768
    assert isinstance(config.qformer_config, Blip2QFormerConfig)
    assert isinstance(config.text_config, LlamaConfig)
    assert config.image_token_id == 32000 == config.text_config.vocab_size - 1


@pytest.mark.parametrize(("image_size", "tokens"), [(224, 64), (448, 256)])
def test_without_qformer_four_patches_make_a_token(image_size, tokens):
    config = MiniGPT4Config(vision_config={"image_size": image_size}, qformer_config=None)
    assert config.token_merge_size == 4
    assert config.num_image_tokens == tokens
    assert config.projector_input_size == 5632


@pytest.mark.parametrize("qformer", [True, False])
def test_survives_saving(make_config, tmp_path, qformer):
    config = make_config(qformer)
    config.save_pretrained(tmp_path)
    loaded = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(loaded, MiniGPT4Config)
    assert (loaded.qformer_config is not None) == qformer
    assert loaded.to_diff_dict() | {"_name_or_path": ""} == config.to_diff_dict() | {"_name_or_path": ""}


def test_follows_the_language_models_tie(make_config):
    assert make_config(text={"tie_word_embeddings": True}).tie_word_embeddings
    assert not make_config().tie_word_embeddings


def test_qformer_reads_the_vision_tower(make_config):
    assert make_config().qformer_config.encoder_hidden_size == make_config().vision_config.hidden_size


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"token_merge_size": 4}, "token_merge_size is 4, but a Q-Former's queries are not merged"),
        (
            {"qformer_config": None, "token_merge_size": 5},
            "256 patches of an image of 224 pixels cannot be merged by 5",
        ),
        (
            {"qformer_config": None, "token_merge_size": 0},
            "token_merge_size must be at least 1, which merges nothing (got 0)",
        ),
        ({"projector_num_layers": 0}, "projector_num_layers must be at least 1 (got 0)"),
        ({"vision_config": {"image_size": [224, 448]}}, "images are square"),
        (
            {"qformer_config": {"model_type": "instructblip_qformer"}},
            "qformer_config is of type 'instructblip_qformer'",
        ),
        (
            {"qformer_config": BertConfig()},
            "qformer_config is of type 'bert', which MiniGPT-4 does not support: it must be 'blip_2_qformer'",
        ),
        ({"text_config": {"model_type": "gemma3"}}, "'gemma3' has parts of its own (text_config, vision_config)"),
    ],
)
def test_refuses_parts_that_do_not_fit(fields, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        MiniGPT4Config(**fields)
