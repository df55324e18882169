"""Back to an original-style checkpoint, and from there again."""

import pytest
import torch
from published import TEXT_WIDTH
from safetensors.torch import load_file

from minigpt4.conversion import convert, export


def contents(folder) -> dict[str, bytes]:
    """Each tensor's bytes, the adapter's too."""
    found = {}
    for file in folder.glob("*.safetensors"):
        for name, tensor in load_file(file).items():
            found[name] = (tensor.dtype, tensor.shape, tensor.numpy().tobytes())
    return found


@pytest.mark.parametrize(("family", "kept"), [("vicuna", {}), ("llama2", {}), ("v2", {"keep_lora": True})])
def test_there_and_back_again(shared_files, converted, tmp_path, family, kept):
    first = converted(family, **kept)
    checkpoint = export(first, tmp_path / "checkpoint.pth")
    arguments = {**shared_files(family).arguments, "checkpoint": checkpoint}
    second = convert(family, **arguments, **kept, output=tmp_path / "again")
    assert contents(second) == contents(first)


@pytest.mark.parametrize(("family", "kept"), [("vicuna", {}), ("llama2", {}), ("v2", {"keep_lora": True})])
def test_it_is_what_was_published(shared_files, converted, tmp_path, family, kept):
    ours = torch.load(export(converted(family, **kept), tmp_path / "checkpoint.pth"), weights_only=True)
    theirs = torch.load(shared_files(family).checkpoint)
    assert ours["model"].keys() == theirs["model"].keys()
    for key, tensor in ours["model"].items():
        assert torch.equal(tensor, theirs["model"][key]), key
    if kept:
        assert ours["config"]["model"] == {"lora_r": 3, "lora_alpha": 16}


def test_a_kept_lora_can_be_merged_later(shared_files, converted, tmp_path):
    checkpoint = export(converted("v2", keep_lora=True), tmp_path / "checkpoint.pth")
    arguments = {**shared_files("v2").arguments, "checkpoint": checkpoint}
    assert contents(convert("v2", **arguments, output=tmp_path / "again")) == contents(converted("v2"))


def test_the_qformer_can_come_with_it(shared_files, converted, tmp_path):
    ours = torch.load(export(converted("vicuna"), tmp_path / "checkpoint.pth", towers=True))["model"]
    blip2 = torch.load(shared_files("vicuna").qformer)["model"]
    assert {key for key in ours if not key.startswith("llama_proj.")} < blip2.keys()
    assert all(torch.equal(ours[key], blip2[key]) for key in ours.keys() & blip2.keys())
    assert {"query_tokens", "ln_vision.weight"} < ours.keys()
    arguments = {**shared_files("vicuna").arguments, "checkpoint": tmp_path / "checkpoint.pth"}
    assert contents(convert("vicuna", **arguments, output=tmp_path / "again")) == contents(converted("vicuna"))


def test_what_was_trained_here_is_exported(converted, tmp_path):
    from minigpt4 import MiniGPT4ForConditionalGeneration

    model = MiniGPT4ForConditionalGeneration.from_pretrained(converted("llama2"))
    model.model.multi_modal_projector.bias.data.fill_(3)
    model.save_pretrained(tmp_path / "tuned")
    ours = torch.load(export(tmp_path / "tuned", tmp_path / "checkpoint.pth"))["model"]
    assert torch.equal(ours["llama_proj.bias"], torch.full((TEXT_WIDTH,), 3.0))


def test_a_merged_lora_cannot_be_taken_out(converted, tmp_path):
    from minigpt4 import MiniGPT4ForConditionalGeneration

    with pytest.raises(ValueError, match="--keep-lora"):
        export(converted("v2"), tmp_path / "checkpoint.pth")
    MiniGPT4ForConditionalGeneration.from_pretrained(converted("v2")).save_pretrained(tmp_path / "saved")
    with pytest.raises(ValueError, match="--keep-lora"):
        export(tmp_path / "saved", tmp_path / "checkpoint.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_what_is_there_is_not_overwritten(converted, tmp_path):
    (tmp_path / "checkpoint.pth").write_text("mine")
    with pytest.raises(FileExistsError, match="exists already"):
        export(converted("llama2"), tmp_path / "checkpoint.pth")
    assert (tmp_path / "checkpoint.pth").read_text() == "mine"


def test_a_folder_of_another_model(shared_files, tmp_path):
    with pytest.raises(ValueError, match="model_type is 'llama'"):
        export(shared_files("llama2").language_model, tmp_path / "checkpoint.pth")
