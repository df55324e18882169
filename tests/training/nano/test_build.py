from pathlib import Path

import pytest
import torch
from helpers.builds import Builds, shortened
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from minigpt4.training.nano.build import build_nano
from minigpt4.training.nano.settings import NanoRecipe, Pretraining


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> NanoRecipe:
    folder, tiny = tmp_path_factory.mktemp("recipes"), Pretraining(steps=2, batch_size=2, warmup_steps=1)
    stages = {
        stage: shortened(folder, f"nano-{stage}", per_device_train_batch_size=4) for stage in ("stage1", "stage2")
    }
    return NanoRecipe(towers=tiny, lookups=tiny, language_model=tiny, captions=8, descriptions=8, **stages)


@pytest.fixture(scope="module")
def build():
    return build_nano


@pytest.fixture(scope="module")
def built(recipe, tmp_path_factory) -> tuple[Path, dict]:
    output = tmp_path_factory.mktemp("built") / "nano"
    return output, build_nano(output, seed=5, recipe=recipe, scenes=2)


class TestNano(Builds):
    stages, other_recipe = ("stage1", "stage2"), {"captions": 9}


def test_the_model_is_of_nanos_kind(built):
    output, _ = built
    model, processor = AutoModelForImageTextToText.from_pretrained(output), AutoProcessor.from_pretrained(output)
    assert sum(p.numel() for p in model.parameters()) < 2_400_000
    assert [processor.decode(ids).strip() for ids in model.generation_config.end_sequences] == ["###", "###"]
    assert model.generation_config.do_sample is False
    assert model.config.num_image_tokens == processor.num_image_tokens
    assert processor.chat_template.strip()


def test_only_the_projection_learned(built):
    output, _ = built
    steps = output.with_name("nano.steps")
    stages = [load_file(steps / f"stage{stage}" / "model.safetensors") for stage in (1, 2)]
    shipped = load_file(output / "model.safetensors")
    changed = {name for name in shipped if not torch.equal(shipped[name], stages[0][name])}
    assert changed == {"model.multi_modal_projector.weight", "model.multi_modal_projector.bias"}

    pretrained = {f"model.{name}": value for name, value in load_file(steps / "towers.safetensors").items()}
    language_model = load_file(steps / "language_model" / "model.safetensors")
    pretrained |= {
        name.replace("model.", "model.language_model.", 1): value
        for name, value in language_model.items()
        if name != "lm_head.weight"
    }
    assert set(shipped) - set(pretrained) - changed <= {"lm_head.weight"}
    for name, value in pretrained.items():
        assert torch.equal(shipped[name], value), name


def test_the_card_holds_the_scores(built):
    card = (built[0] / "README.md").read_text()
    assert "| scenes described wholly right | 0.0 | 0.0 |" in card
    assert "--scenes 2 --seed 0" in card
    assert "supervised directly" in card
