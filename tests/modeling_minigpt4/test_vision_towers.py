"""Any vision tower of transformers that gives a token for each patch: what is read of it, and what is refused."""

import re

import pytest
import torch
from helpers.tiny_towers import TOWERS, tiny_tower
from torch.nn import functional
from transformers import CONFIG_MAPPING, AutoModel, Blip2VisionModel, CLIPConfig, SiglipConfig, SiglipVisionConfig

from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration


OTHERS = [name for name in TOWERS if name != "eva"]
PATCHES = 16


@pytest.fixture
def pixels():
    return torch.randn(2, 3, 56, 56, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def around(make_config, make_model):
    """Makes a tiny model around a tower; four patches become a token unless it has a Q-Former."""

    def make(tower, qformer=False, **fields):
        return make_model(qformer, vision_config=tower if not isinstance(tower, str) else tiny_tower(tower), **fields)

    return make


def test_a_siglip_configuration_stays_one():
    given = {"model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2}
    config = MiniGPT4Config(vision_config=given, qformer_config=None)
    assert isinstance(config.vision_config, SiglipVisionConfig)
    assert config.vision_config.hidden_size == 32
    assert isinstance(MiniGPT4Config(**config.to_dict()).vision_config, SiglipVisionConfig)


@pytest.mark.parametrize("name", TOWERS)
@torch.no_grad()
def test_what_is_read_is_what_the_tower_gives_alone(around, pixels, name):
    model = around(name).model
    assert model.config.vision_prefix_tokens == TOWERS[name][1]
    if name == "eva":
        alone = Blip2VisionModel(model.config.vision_config).eval()
        alone.post_layernorm.eps = 1e-5
    else:
        alone = AutoModel.from_config(model.config.vision_config).eval()
    report = alone.load_state_dict(model.vision_tower.state_dict(), strict=False)
    assert not report.unexpected_keys
    assert all(key.startswith("pooler.") for key in report.missing_keys)  # which only some have, and nobody reads
    tokens = alone(pixels).last_hidden_state
    expected = tokens[:, -PATCHES:].reshape(2, PATCHES // 4, -1)
    assert torch.equal(model.get_vision_features(pixels).pooler_output, expected)


@pytest.mark.parametrize("name", ["clip", "siglip", "dinov3", "vit"])
@torch.no_grad()
def test_another_layer_and_a_layer_norm(around, pixels, name):
    model = around(name, vision_feature_layer=-2, vision_layer_norm=True).model
    layers = model.vision_tower(pixels, output_hidden_states=True).hidden_states
    patches = functional.layer_norm(layers[-2], [32], eps=model.config.vision_config.layer_norm_eps)[:, -PATCHES:]
    torch.testing.assert_close(
        model.get_vision_features(pixels).pooler_output, patches.reshape(2, PATCHES // 4, -1), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("name", TOWERS)
@torch.no_grad()
def test_pictures_of_another_size(around, name):
    model = around(name, picture_size=84).model
    assert model.config.num_image_tokens == 9
    features = model.get_vision_features(torch.randn(1, 3, 84, 84)).pooler_output
    assert features.shape == (1, 9, 128)


@pytest.mark.parametrize("name", ["siglip", "dinov2-registers"])
def test_a_qformer_reads_all_tokens_of_any_tower(around, pixels, name):
    model = around(name, qformer=True)
    features = model.model.get_vision_features(pixels)
    assert features.last_hidden_state.shape[1] == PATCHES + TOWERS[name][1]
    assert features.pooler_output.shape == (2, 6, 32)


@pytest.mark.parametrize("name", OTHERS)
def test_saves_and_loads(around, pixels, name, tmp_path):
    model = around(name, vision_layer_norm=True)
    torch.nn.init.normal_(model.model.vision_layer_norm.weight)
    model.save_pretrained(tmp_path)
    loaded, report = MiniGPT4ForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert type(loaded.config.vision_config) is type(model.config.vision_config)
    assert loaded.config.vision_prefix_tokens == TOWERS[name][1]
    with torch.no_grad():
        ours, theirs = (each.model.get_image_features(pixels).pooler_output for each in (loaded, model))
    assert all(map(torch.equal, ours, theirs))


def test_the_published_families_are_saved_as_before(make_config):
    """Without the fields that other towers have."""
    for qformer in (True, False):
        fields = make_config(qformer).to_diff_dict()
        assert not {name for name in fields if name.startswith(("vision_", "picture_"))} - {"vision_config"}
    names = [name for name, _ in MiniGPT4ForConditionalGeneration(make_config()).named_parameters()]
    assert not [name for name in names if "vision_layer_norm" in name]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"vision_config": {"model_type": "nothing"}}, "is of type 'nothing', which transformers does not have"),
        (
            {"vision_config": CLIPConfig()},
            "The vision tower 'clip' is a whole model: give the vision_config in it alone",
        ),
        ({"vision_config": SiglipConfig().to_dict()}, "The vision tower 'siglip' is a whole model"),
        ({"vision_config": {"model_type": "bert"}}, "The vision tower 'bert' has no image_size"),
        ({"vision_config": {"model_type": "siglip2_vision_model"}}, "'siglip2_vision_model' has no image_size"),
        (
            {"vision_config": {"model_type": "vit", "image_size": 224, "patch_size": [16, 8]}},
            "image_size is 224 and patch_size [16, 8]: images are square",
        ),
        ({"vision_config": {"model_type": "yolos"}}, "image_size is (512, 864) and patch_size 16: images are square"),
        ({"vision_config": {"model_type": "vit", "num_channels": 1}}, "'vit' reads 1 channels: pictures have 3"),
        ({"vision_layer_norm": True}, "'blip_2_vision_model' ends in a LayerNorm of its own"),
        ({"picture_size": 10}, "An image of 10 pixels is smaller than a patch (14)"),
        (  # SigLIP SO400M: 27 x 27 patches
            {
                "vision_config": {"model_type": "siglip_vision_model", "image_size": 384, "patch_size": 14},
                "qformer_config": None,
            },
            "The 729 patches of an image of 384 pixels cannot be merged by 4: take images of 364 or 392 pixels, or a "
            "token_merge_size of 1, 3, 9 or 27.",
        ),
    ],
)
def test_configurations_that_are_refused(fields, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        MiniGPT4Config(**fields)


@pytest.mark.parametrize(
    ("model_type", "message"),
    [
        ("swin", "'swin' gives 49 tokens for a picture of 224 pixels, which has 3136 patches of 4"),
        ("vit_mae", "'vit_mae' gives 50 tokens for a picture of 224 pixels, which has 196 patches of 16"),
        ("convnextv2", "'convnextv2' has no hidden_size"),
        ("instructblip_vision_model", "'instructblip_vision_model' is not one that AutoModel makes"),
        ("layoutlmv3", "'layoutlmv3' "),
    ],
)
def test_towers_that_are_refused(make_config, model_type, message):
    with pytest.raises(ValueError, match=message), torch.device("meta"):
        MiniGPT4ForConditionalGeneration(make_config(vision_config=CONFIG_MAPPING[model_type]()))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"vision_feature_layer": -5}, "has 3 layers: vision_feature_layer -5 is none of them"),
        (
            {"vision_prefix_tokens": 0},
            "vision_prefix_tokens is 0, but the vision tower 'clip_vision_model' has 1 tokens",
        ),
    ],
)
def test_what_the_tower_does_not_have(around, fields, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        around("clip", **fields)
