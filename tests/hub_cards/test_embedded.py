"""The embedded checkpoints by name."""

from pathlib import Path

import pytest

import minigpt4
from minigpt4.hub_cards.embedded import embedded
from minigpt4.loading import load
from minigpt4.training import read_recipe
from minigpt4.training.model import checkpoint_name


def test_nano_by_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("nano").mkdir()  # ./nano is another one
    assert embedded("nano") == str(minigpt4.nano_path()) != embedded("./nano")


def test_other_names_stay_as_they_are(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("nano-mine").mkdir()
    for name in ("runs/nano", "owner/nano", "nano/model", "nano-mine", "nanotron", "/data/nano-v3"):
        assert embedded(name) == name
    assert embedded(tmp_path) == str(tmp_path)


@pytest.mark.parametrize("version", ["v3", "2"])
def test_there_are_two_only(version):
    with pytest.raises(ValueError, match=rf"no embedded model 'nano-{version}': choose one of nano, nano-v2\."):
        minigpt4.nano_path(version)
    with pytest.raises(ValueError, match="choose one of nano, nano-v2"):
        embedded(f"nano-{version}")


def test_one_without_its_files_is_made_by_a_command(monkeypatch):
    monkeypatch.setattr("minigpt4.hub_cards.embedded.EMBEDDED", ("nano", "nano-v9"))
    with pytest.raises(FileNotFoundError, match="make it with `minigpt4 train nano-v9 --output nano-v9-model`"):
        minigpt4.nano_path("v9")


def test_an_unknown_name_is_said_before_anything_is_loaded(command, picture):
    result = command("describe", picture, "--model", "nano-v3")
    assert result.code == 1
    assert result.err.splitlines() == ["minigpt4: There is no embedded model 'nano-v3': choose one of nano, nano-v2."]


def test_nano_v2_by_name():
    """It loads, under its name in Python and in recipes, and knows the tasks."""
    path = minigpt4.nano_path("v2")
    assert embedded("nano-v2") == str(path)
    assert checkpoint_name(read_recipe("v2-stage3", model_name_or_path="nano-v2", bf16=False).model)[0] == str(path)
    model, processor = load("nano-v2")
    assert processor.task_identifiers == ["vqa", "caption", "grounding", "refer", "identify", "detection"]
    assert model.config.qformer_config is None
    assert model.config.token_merge_size == 4


def test_nano_v2_on_the_command_line(command, picture):
    result = command("describe", picture, "--model", "nano-v2", "--prompt", "[caption] Briefly describe this image.")
    assert (result.code, result.out.strip() != "") == (0, True)


def test_it_is_small_and_complete():
    folder = minigpt4.nano_path("v2")
    assert sum(file.stat().st_size for file in folder.glob("*.safetensors")) < 10e6
    assert {"README.md", "chat_template.jinja", "generation_config.json", "tokenizer.json"} <= {
        file.name for file in folder.iterdir()
    }
