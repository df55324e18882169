"""The commands, as docs/convert.md shows them."""

import io
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from helpers import read_guide
from transformers.utils import is_bitsandbytes_available


DOCS = read_guide("convert")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", DOCS, flags=re.MULTILINE | re.DOTALL)
ROWS = re.findall(r"^\|.*\| `(minigpt4 .+)` \|$", DOCS, flags=re.MULTILINE)
LINES = [line for name, text in BLOCKS if name == "sh" for line in text.splitlines()]
PYTHON = [text for name, text in BLOCKS if name == "python"]


@pytest.fixture(scope="module")
def reader(shared_files, blip2_folder, tmp_path_factory) -> Path:
    """Where the reader works: all the files under the names that the docs use, with tiny weights."""
    folder = tmp_path_factory.mktemp("reader")
    vicuna, llama2, v2 = (shared_files(family) for family in ("vicuna", "llama2", "v2"))
    for name, file in {
        "eva_vit_g.pth": vicuna.vision,
        "blip2_pretrained_flant5xxl.pth": vicuna.qformer,
        "blip2-flan-t5-xxl": blip2_folder[0],
        "vicuna-7b-v0": vicuna.language_model,
        "Llama-2-7b-chat-hf": llama2.language_model,
        "prerelease_minigpt4_7b.pth": vicuna.checkpoint,
        "pretrained_minigpt4_llama2_7b.pth": llama2.checkpoint,
        "minigptv2_checkpoint.pth": v2.checkpoint,
        "miniGPT_Med.pth": v2.checkpoint,  # in the same form: projection and LoRA
    }.items():
        (folder / name).symlink_to(file)
    return folder


@pytest.fixture(scope="module")
def tiny_configs(shared_files, tmp_path_factory) -> dict[str, Path]:
    """The docs tell of published sizes; the files here are tiny, which `--config` says."""
    return {family: shared_files(family).config for family in ("vicuna", "llama2", "v2")}


def test_the_docs_show_every_command():
    assert {row.split()[1] for row in ROWS} == {"convert", "verify", "export", "assemble"}
    assert {row.split()[2] for row in ROWS if row.split()[1] == "convert"} == {"vicuna", "llama2", "v2"}
    assert {name for name, _ in BLOCKS} <= {"sh", "python"}


@pytest.mark.parametrize("row", ROWS)
def test_the_table(row, reader, tiny_configs, command, monkeypatch):
    monkeypatch.chdir(reader)
    words = shlex.split(row)[1:]
    if words[0] in ("convert", "assemble"):
        words += ["--config", str(tiny_configs[words[1]])]
    result = command(*words)
    assert result.code == 0, result.err
    output = words[words.index("--output") + 1] if "--output" in words else None
    if words[0] == "verify":
        assert all(part in result.out for part in ("vision tower", "projection", "language model", "sha256"))
    else:
        assert (reader / output).exists()
        assert output in result.err


def test_what_follows_the_table(reader, command, monkeypatch):
    monkeypatch.chdir(reader)
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello\n"))
    for line in LINES:
        result = command(*shlex.split(line)[1:])
        assert result.code == 0, result.err


@pytest.mark.parametrize("text", PYTHON)
def test_python(text, reader, monkeypatch):
    if "BitsAndBytes" in text and not is_bitsandbytes_available():
        pytest.skip("needs bitsandbytes")
    monkeypatch.chdir(reader)
    exec(compile(text, "docs/convert.md", "exec"), {})


def test_an_error_is_one_line(reader, tiny_configs, command, tmp_path, monkeypatch):
    monkeypatch.chdir(reader)
    [line] = [row for row in ROWS if "minigpt4-llama2" in row and "convert" in row]
    words = shlex.split(line.replace("pretrained_minigpt4_llama2_7b.pth", "minigptv2_checkpoint.pth"))[1:]
    words[words.index("--output") + 1] = str(tmp_path / "output")
    result = command(*words, "--config", tiny_configs["llama2"])
    assert result.code == 1
    assert re.fullmatch(r"minigpt4: minigptv2_checkpoint\.pth holds a LoRA .* the file is for v2\.\n", result.err)
    assert list(tmp_path.iterdir()) == []


def test_verify_fails_where_something_differs(converted, command, shared_files, tmp_path):
    other = shutil.copytree(shared_files("llama2").folder, tmp_path / "files") / "eva_vit_g.pth"
    tensors = torch.load(other)
    tensors["blocks.0.norm1.bias"] += 1
    torch.save(tensors, other)
    result = command("verify", converted("llama2"), "--vision", other)
    assert result.code == 1
    assert "model.vision_tower.encoder.layers.0.layer_norm1.bias is not blocks.0.norm1.bias in" in result.out
    assert result.err == f"minigpt4: {converted('llama2')} failed verification; problems listed above: 1.\n"


def test_wrong_family_names_are_refused(command):
    result = command(
        "convert", "vicuna13", "--vision", "a", "--language-model", "b", "--checkpoint", "c", "--output", "d"
    )
    assert result.code == 2
    assert "vicuna" in result.err
    assert "llama2" in result.err
