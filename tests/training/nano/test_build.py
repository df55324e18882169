import shutil
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from minigpt4.training.nano.build import build_nano
from minigpt4.training.nano.settings import NanoRecipe, Pretraining


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> NanoRecipe:
    """All of nano's steps, each far too short to learn anything."""
    stages = {}
    for stage in ("stage1", "stage2"):
        settings = yaml.safe_load((files("minigpt4.training") / "recipes" / f"nano-{stage}.yaml").read_text())
        path = tmp_path_factory.mktemp("recipes") / f"{stage}.yaml"
        path.write_text(yaml.safe_dump({**settings, "max_steps": 2, "per_device_train_batch_size": 4}))
        stages[stage] = str(path)
    tiny = Pretraining(steps=2, batch_size=2, warmup_steps=1)
    return NanoRecipe(towers=tiny, lookups=tiny, language_model=tiny, captions=8, descriptions=8, **stages)


@pytest.fixture(scope="module")
def built(recipe, tmp_path_factory) -> tuple[Path, dict]:
    output = tmp_path_factory.mktemp("built") / "nano"
    return output, build_nano(output, seed=5, recipe=recipe, scenes=2)


def test_the_folder_is_complete(built):
    from transformers import AutoModelForImageTextToText, AutoProcessor

    output, _ = built
    model = AutoModelForImageTextToText.from_pretrained(output)
    processor = AutoProcessor.from_pretrained(output)
    assert sum(p.numel() for p in model.parameters()) < 2_400_000
    assert sum(file.stat().st_size for file in output.iterdir()) < 10_000_000
    assert [processor.decode(ids).strip() for ids in model.generation_config.end_sequences] == ["###", "###"]
    assert model.generation_config.do_sample is False
    assert model.config.num_image_tokens == processor.num_image_tokens
    assert processor.chat_template.strip()
    assert not list(output.glob("*.part"))
    assert not (output / "scores.json").exists()


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
    output, scores = built
    card = (output / "README.md").read_text()
    assert set(scores) == {"stage1", "stage2"}
    assert "$" not in card
    assert "| scenes described wholly right | 0.0 | 0.0 |" in card
    assert "--scenes 2 --seed 0" in card
    assert "supervised directly" in card


def test_a_build_that_was_stopped_goes_on(built, recipe, tmp_path, capsys):

    output, scores = built
    steps = shutil.copytree(output.with_name("nano.steps"), tmp_path / "nano.steps")
    shutil.rmtree(steps / "stage2")
    capsys.readouterr()
    assert build_nano(tmp_path / "nano", seed=5, recipe=recipe, scenes=2) == scores
    assert "ViT" not in capsys.readouterr().err
    again, first = (load_file(folder / "model.safetensors") for folder in (tmp_path / "nano", output))
    assert all(torch.equal(again[name], first[name]) for name in first)


def test_steps_of_another_seed_and_full_folders_are_refused(built, recipe, tmp_path):

    output, _ = built
    with pytest.raises(FileExistsError, match="is not empty: give a new folder"):
        build_nano(output, seed=5, recipe=recipe)
    shutil.copytree(output.with_name("nano.steps"), tmp_path / "nano.steps")
    for other in ({"seed": 6, "recipe": recipe}, {"seed": 5, "recipe": replace(recipe, captions=9)}):
        with pytest.raises(ValueError, match="another seed or recipe: delete it"):
            build_nano(tmp_path / "nano", **other)
