"""What a recipe's `model_config` states otherwise: field by field, in parts too; processor and positions follow."""

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from minigpt4.checkpoints.positions import resize_positions
from minigpt4.training.model import load_model, load_processor
from minigpt4.training.recipe import parse_overrides
from minigpt4.training.run import run


LARGER = {"vision_config": {"image_size": 42}}  # of patches of 14 pixels; the checkpoint's images have 28


def test_an_override_of_a_part_keeps_its_other_fields(recipe, model):
    loaded = load_model(recipe(model_config=LARGER).model)
    assert loaded.config.vision_config.to_dict() == {**model.config.vision_config.to_dict(), "image_size": 42}
    for part in ("text_config", "qformer_config"):
        assert getattr(loaded.config, part).to_dict() == getattr(model.config, part).to_dict()
    dropout = load_model(recipe(model_config={"qformer_config": {"hidden_dropout_prob": 0.5}}).model)
    assert dropout.config.qformer_config.hidden_size == model.config.qformer_config.hidden_size
    assert dropout.config.qformer_config.hidden_dropout_prob == 0.5


def test_position_embeddings_are_resized_and_nothing_else_changes(recipe, model):
    loaded, old = load_model(recipe(model_config=LARGER).model).state_dict(), model.state_dict()
    name = "model.vision_tower.embeddings.position_embedding"
    assert loaded[name].shape == (1, 1 + 9, 16)
    torch.testing.assert_close(loaded[name], resize_positions(old[name], 3), rtol=0, atol=0)
    assert torch.equal(loaded[name][:, :1], old[name][:, :1])
    assert all(torch.equal(loaded[key], old[key]) for key in old.keys() - {name})


def test_the_processor_follows(recipe):
    processor = load_processor(recipe(model_config=LARGER).model)
    assert processor(images=Image.new("RGB", (50, 30)), text="<ImageHere>", return_tensors="pt")[
        "pixel_values"
    ].shape == (1, 3, 42, 42)
    without_qformer = {**LARGER, "qformer_config": None, "token_merge_size": 1}
    assert load_processor(recipe(model_config=without_qformer).model).num_image_tokens == 9
    assert dict(load_processor(recipe().model).image_processor.size) == {"height": 28, "width": 28}


def test_a_run_with_larger_images(recipe):
    settings = parse_overrides(["model_config={vision_config: {image_size: 42}}"])  # as typed after --set
    output = run(recipe(**settings, bf16=False, max_steps=1))
    model, processor = AutoModelForImageTextToText.from_pretrained(output), AutoProcessor.from_pretrained(output)
    image = Image.effect_noise((50, 50), 80).convert("RGB")
    inputs = processor(images=image, text="<ImageHere>", return_tensors="pt")
    assert inputs["pixel_values"].shape == (1, 3, 42, 42)
    trained = load_model(recipe(**settings).model)  # with the old projection
    with torch.no_grad():
        features = [
            each.get_vision_features(inputs["pixel_values"]).pooler_output for each in (model.model, trained.model)
        ]
        assert torch.equal(*features)
        assert torch.isfinite(model(**inputs).logits).all()


@pytest.mark.parametrize(
    ("model_config", "message"),
    [
        (
            {"vision_config": {"imagesize": 42}},
            "vision_config of model_config sets imagesize, which Blip2VisionConfig",
        ),
        ({"text_config": {"layers": 1}}, "text_config of model_config sets layers, which LlamaConfig does not have"),
        ({"num_query_tokens": "many"}, "model_config does not fit MiniGPT4Config: .*num_query_tokens"),
        ({"vision_config": {"hidden_size": 32}}, "weights of .* do not fit its configuration"),
    ],
)
def test_what_no_part_has(recipe, model_config, message):
    with pytest.raises(ValueError, match=message) as error:
        load_model(recipe(model_config=model_config).model)
    assert "\n" not in str(error.value)
