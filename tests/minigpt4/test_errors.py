"""Bad input: each gives one line that names what is wrong, and an exit code that is not 0."""

import json
import shutil
import struct
import zlib
from pathlib import Path

import pytest
from peft import get_peft_model
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from minigpt4.training import lora_config


def only_line(result, code: int = 1) -> str:
    assert (result.code, result.out) == (code, "")
    lines = result.err.splitlines()
    assert len(lines) == 1, result.err
    assert lines[0].startswith("minigpt4: ")
    return lines[0]


def bomb() -> bytes:
    """A few hundred bytes of PNG that claim to be 400 million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.fixture
def broken(tmp_path):
    """Files that are no pictures, by name."""
    noise = Image.effect_noise((200, 200), 90).convert("RGB")
    noise.save(tmp_path / "whole.jpg")
    (tmp_path / "truncated.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:3000])
    (tmp_path / "bomb.png").write_bytes(bomb())
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.png").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize("name", ["truncated.jpg", "bomb.png", "text.jpg", "empty.png"])
def test_file_that_is_no_whole_picture(command, broken, tiny_checkpoint, name):
    line = only_line(command("describe", broken / name, "--model", tiny_checkpoint))
    assert str(broken / name) in line
    assert "unexpected" not in line


def test_bomb_is_refused_by_its_size(command, broken, tiny_checkpoint):
    line = only_line(command("describe", broken / "bomb.png", "--model", tiny_checkpoint))
    assert "400000000" in line or "20000" in line


@pytest.mark.parametrize("verb", ["describe", "chat", "demo"])
def test_missing_file(command, tmp_path, verb):
    assert str(tmp_path / "nowhere.jpg") in only_line(command(verb, tmp_path / "nowhere.jpg"))


def test_empty_name(command):
    """As of a variable that is not set; not the folder where one is."""
    assert "no such file" in only_line(command("describe", ""))


def test_empty_folder(command, tmp_path):
    assert f"{tmp_path}: no pictures" in only_line(command("describe", tmp_path))


@pytest.mark.parametrize("prompt", ["", "  "])
def test_empty_prompt(command, picture, prompt):
    assert "--prompt" in only_line(command("describe", picture, "--prompt", prompt), code=2)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["describe", "--colour", "x.png"], "--colour"),
        (["describe"], "IMAGE"),
        (["draw"], "draw"),
        (["describe", "x.png", "--batch-size", "0"], "--batch-size"),
        (["describe", "x.png", "--max-new-tokens", "many"], "--max-new-tokens"),
        (["describe", "x.png", "--model", ""], "--model"),
        (["train", "nano"], "--output"),
        (["evaluate", "scenes", "--scenes", "0"], "--scenes"),
    ],
)
def test_wrong_call(command, arguments, named):
    line = only_line(command(*arguments), code=2)
    assert named in line
    assert "--help)" in line


@pytest.fixture
def checkpoint(tiny_checkpoint, tmp_path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint"))


def rewrite(folder: Path, change) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def refused(command, picture, folder) -> str:
    line = only_line(command("describe", picture, "--model", folder))
    assert str(folder) in line
    return line


def test_folder_that_is_no_checkpoint(command, picture, tmp_path):
    assert "config.json" in refused(command, picture, tmp_path)


def test_name_that_is_nothing(command, picture):
    assert "no such folder; if it is a Hub id" in refused(command, picture, "no-such-place/no-such-model")


def test_file_as_checkpoint(command, picture):
    assert "is a file" in refused(command, picture, picture)


def test_checkpoint_of_another_model(command, picture, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava"}))
    assert "'llava'" in refused(command, picture, tmp_path)


def test_configuration_that_is_no_json(command, picture, checkpoint):
    (checkpoint / "config.json").write_text("{")
    assert "config.json" in refused(command, picture, checkpoint)


def test_missing_keys(command, picture, checkpoint):
    rewrite(checkpoint, lambda weights: weights.pop("model.multi_modal_projector.weight"))
    assert "1 missing (model.multi_modal_projector.weight)" in refused(command, picture, checkpoint)


def test_extra_keys(command, picture, checkpoint):
    rewrite(checkpoint, lambda weights: weights.update(stray=weights["lm_head.weight"].clone()))
    assert "1 unexpected (stray)" in refused(command, picture, checkpoint)


def test_keys_with_commands_to_the_terminal(command, picture, checkpoint):
    rewrite(checkpoint, lambda weights: weights.update({"a\x1b[2J\nb": weights["lm_head.weight"].clone()}))
    assert r"1 unexpected (a\x1b[2J b)" in refused(command, picture, checkpoint)
    result = command("verify", checkpoint)
    assert (result.code, "\x1b" in result.out + result.err) == (1, False)
    assert r"a\x1b[2J\nb" in result.err


@pytest.mark.parametrize("verb", ["describe", "push", "verify", "train"])
def test_configuration_that_is_a_list(command, picture, checkpoint, verb):
    (checkpoint / "config.json").write_text("[1, 2]")
    recipe = ["stage1", "--set", f"model_name_or_path={checkpoint}", "--set", "data=scene-captions", "--show", "1"]
    arguments = {"describe": [picture, "--model", checkpoint], "push": [checkpoint, "x/y"], "train": recipe}
    line = only_line(command(verb, *arguments.get(verb, [checkpoint])))
    assert str(checkpoint) in line
    assert "unexpected" not in line


def test_key_of_another_shape(command, picture, checkpoint):
    key = "model.multi_modal_projector.bias"
    rewrite(checkpoint, lambda weights: weights.update({key: weights[key][:-1].clone()}))
    assert f"1 of another shape ({key})" in refused(command, picture, checkpoint)


def test_no_weights(command, picture, checkpoint):
    (checkpoint / "model.safetensors").unlink()
    assert "model.safetensors" in refused(command, picture, checkpoint)


def test_cut_weights(command, picture, checkpoint):
    file = checkpoint / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    refused(command, picture, checkpoint)


def test_no_processor(command, picture, checkpoint):
    for name in ("processor_config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"):
        (checkpoint / name).unlink(missing_ok=True)
    refused(command, picture, checkpoint)


@pytest.fixture
def adapter(tiny_checkpoint, tmp_path) -> Path:
    """What PEFT saves of LoRA, without a processor."""
    model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
    get_peft_model(model, lora_config(r=2)).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def test_adapter(command, picture, adapter, tiny_checkpoint):
    result = command("describe", picture, "--model", adapter)
    assert result.code == 0
    assert result.out == command("describe", picture, "--model", tiny_checkpoint).out  # LoRA starts from nothing


def test_adapter_whose_model_is_not_there(command, picture, adapter):
    config = json.loads((adapter / "adapter_config.json").read_text())
    for base, named in (("/no/such/place", "/no/such/place"), (None, "base_model_name_or_path")):
        (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": base}))
        line = refused(command, picture, adapter)
        assert f"cannot load the adapter {adapter} without its model" in line
        assert named in line


def test_adapter_with_a_key_missing(command, picture, adapter):
    weights = load_file(adapter / "adapter_model.safetensors")
    del weights["base_model.model.model.multi_modal_projector.bias"]
    save_file(weights, adapter / "adapter_model.safetensors", metadata={"format": "pt"})
    assert "1 keys differ, first model.multi_modal_projector" in refused(command, picture, adapter)


@pytest.mark.parametrize("place", [0, -1])
def test_debug_shows_the_trace(command, tmp_path, picture, place):
    arguments = ["describe", picture, "--model", tmp_path]
    arguments.insert(place % (len(arguments) + 1), "--debug")
    result = command(*arguments)
    assert result.code == 1
    assert "Traceback" in result.err
    assert "config.json" in result.err


@pytest.mark.parametrize(
    ("hidden", "recipe", "said"),
    [
        ("transformers.quantizers.quantizer_bnb_4bit.is_bitsandbytes_available", ["qlora"], "bitsandbytes"),
        (
            "minigpt4.training.arguments.is_tensorboard_available",
            ["lora", "--set", "report_to=tensorboard"],
            "[tracking]",
        ),
    ],
)
def test_an_extra_that_is_not_installed(command, monkeypatch, tmp_path, hidden, recipe, said):
    monkeypatch.setattr(hidden, lambda: False)
    settings = ["model_name_or_path=nano", "data=scene-captions", "data_rows=4", f"output_dir={tmp_path / 'run'}"]
    result = command("train", *recipe, *(word for setting in settings for word in ("--set", setting)))
    assert result.code == 1
    line = result.err.strip().splitlines()[-1]
    assert "pip install" in line
    assert said in line
    assert "unexpected" not in line
