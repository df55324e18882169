"""Everything docs/train.md tells people to do works, in the order in which it tells them."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from helpers import ROOT, read_guide

from minigpt4.cli import run
from minigpt4.training import read_recipe
from minigpt4.training.recipe import shipped_recipes


GUIDE = read_guide("train")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)
INLINE = re.findall(r"`((?:minigpt4|accelerate|trl) [^`]+)`", GUIDE)


@pytest.fixture(scope="module")
def reader(tmp_path_factory, tiny_checkpoint):
    """Where the reader of the guide works. A tiny model stands for nano, which would learn for minutes."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "training").symlink_to(ROOT / "training")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(
            "minigpt4.training.model.embedded", lambda name: str(tiny_checkpoint) if name == "nano" else name
        )
        patch.setattr("minigpt4.nano_path", lambda: tiny_checkpoint, raising=False)
        yield folder


def test_the_guide_from_top_to_bottom(reader, tiny_checkpoint, tiny_v2_checkpoint):
    names: dict = {}
    for language, text in BLOCKS:
        assert language in ("python", "sh")
        if language == "python":
            exec(compile(text, "docs/train.md", "exec"), names)
            continue
        for line in text.splitlines():
            line = line.replace("=nano ", f"={tiny_checkpoint} ").replace("=FOLDER ", f"={tiny_v2_checkpoint} ")
            words = shlex.split(line)
            if "train" in words and not {"output_dir=runs/mine", "--dry-run"} & {
                *words
            }:  # one run is as long as it says
                words += ["--set", f"max_steps={3 if '--resume' in words else 2}"]
            if any(word.startswith("v2-stage") for word in words):
                words += ["--set", "dataloader_num_workers=0", "--set", "per_device_train_batch_size=2"]
            if words[0] == "minigpt4":
                assert run(words[1:]) == 0, line
            else:
                accelerate = Path(sys.executable).with_name(words[0])
                subprocess.run([accelerate, *words[1:]], check=True, capture_output=True, stdin=subprocess.DEVNULL)
    for name in ("mine", "lora", "long", "two"):
        assert (reader / "runs" / name / "adapter_model.safetensors").is_file(), name
    for name in ("whole", "merged", "weak", "fine", "chats"):
        assert (reader / "runs" / name / "model.safetensors").is_file(), name
    assert (reader / "runs" / "whole" / "modeling_minigpt4.py").is_file()  # for `trl sft`
    assert (reader / "runs" / "mine" / "loss.png").is_file()
    assert list((reader / "runs" / "two").glob("checkpoint-*/rng_state_1.pth"))  # of a second process


@pytest.mark.parametrize("line", INLINE)
def test_commands_in_the_text_exist(line, monkeypatch):
    monkeypatch.chdir(ROOT)
    words = shlex.split(line)
    if "--config_file" in words:
        config = load_config_from_file(words[words.index("--config_file") + 1])
        assert config.num_processes > 1
    if "train" in words and words[words.index("train") + 1] != "my.yaml":
        read_recipe(words[words.index("train") + 1])


def test_every_configuration_and_recipe_is_in_the_guide():
    configurations = {path.name for path in (ROOT / "training" / "accelerate").glob("*.yaml")}
    assert {name for name in configurations if f"accelerate/{name}" in GUIDE} == configurations
    assert {name for name in shipped_recipes() if f"`{name}`" in GUIDE} == set(shipped_recipes())


def test_links():
    links = {link for link in re.findall(r"\]\(([^)#]+)", GUIDE) if "://" not in link}
    assert all((ROOT / "docs" / link).exists() for link in links), links
