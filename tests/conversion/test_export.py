"""Back to an original-style checkpoint, and from there again."""

import re

import pytest
import torch
from helpers.published import TEXT_LAYERS, TEXT_WIDTH
from peft import LoraConfig, get_peft_model
from peft.utils.constants import DUMMY_TARGET_MODULES
from PIL import Image
from safetensors.torch import load_file

from minigpt4 import MiniGPT4ForConditionalGeneration
from minigpt4.checkpoints.loading import load
from minigpt4.conversion import convert, export
from minigpt4.hub_cards import merge_adapter
from minigpt4.inference.answering import answer
from minigpt4.inference.turns import user_turn
from minigpt4.training import lora_config


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


@pytest.mark.parametrize("newer_peft", [False, True])
def test_a_v2_with_both_spellings_of_its_lora(shared_files, converted, tmp_path, newer_peft):
    """Kept and merged: the same bytes, and so the same answers."""
    first = converted("v2", keep_lora=True)
    checkpoint = export(first, tmp_path / "checkpoint.pth", newer_peft=newer_peft)
    keys = [key for key in torch.load(checkpoint)["model"] if ".lora_" in key]
    assert len(keys) == 2 * 2 * TEXT_LAYERS
    assert all(
        re.search(r"\.lora_[AB]\.(default\.)?weight$", key)[1] == ("default." if newer_peft else None) for key in keys
    )
    for kept in (True, False):
        wanted = converted("v2", **({"keep_lora": True} if kept else {}))
        arguments = {**shared_files("v2").arguments, "checkpoint": checkpoint}
        again = convert("v2", **arguments, keep_lora=kept, output=tmp_path / f"again-{kept}")
        assert contents(again) == contents(wanted)
        assert greedy(again) == greedy(wanted)


def greedy(folder) -> list[int]:
    """The ids of what a model answers about a picture."""
    model, processor = load(folder)
    chat = [user_turn("[refer] give me the location of the ball", Image.new("RGB", (40, 30), "red"))]
    [made] = answer(model, processor, [chat], do_sample=False, max_new_tokens=8)
    return list(made.ids)


def test_the_qformer_can_come_with_it(shared_files, converted, tmp_path):
    ours = torch.load(export(converted("vicuna"), tmp_path / "checkpoint.pth", towers=True))["model"]
    blip2 = torch.load(shared_files("vicuna").qformer)["model"]
    assert {key for key in ours if not key.startswith("llama_proj.")} < blip2.keys()
    assert all(torch.equal(ours[key], blip2[key]) for key in ours.keys() & blip2.keys())
    assert {"query_tokens", "ln_vision.weight"} < ours.keys()
    arguments = {**shared_files("vicuna").arguments, "checkpoint": tmp_path / "checkpoint.pth"}
    assert contents(convert("vicuna", **arguments, output=tmp_path / "again")) == contents(converted("vicuna"))


def test_what_was_trained_here_is_exported(converted, tmp_path):
    model = MiniGPT4ForConditionalGeneration.from_pretrained(converted("llama2"))
    model.model.multi_modal_projector.bias.data.fill_(3)
    model.save_pretrained(tmp_path / "tuned")
    ours = torch.load(export(tmp_path / "tuned", tmp_path / "checkpoint.pth"))["model"]
    assert torch.equal(ours["llama_proj.bias"], torch.full((TEXT_WIDTH,), 3.0))


def test_an_adapter_that_was_trained_here_is_exported(shared_files, converted, tmp_path):
    base = MiniGPT4ForConditionalGeneration.from_pretrained(converted("llama2"))
    model = get_peft_model(base, lora_config(lora_alpha=8, r=2))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.3)
    model.eval().save_pretrained(tmp_path / "adapter")
    checkpoint = export(tmp_path / "adapter", tmp_path / "checkpoint.pth")

    arguments = {**shared_files("llama2").arguments, "checkpoint": checkpoint}
    again = MiniGPT4ForConditionalGeneration.from_pretrained(convert("v2", **arguments, output=tmp_path / "again"))
    ids = torch.arange(5, 60)[None]
    with torch.no_grad():
        torch.testing.assert_close(again(input_ids=ids).logits, model(input_ids=ids).logits, atol=1e-4, rtol=1e-4)
    trained = base.model.multi_modal_projector.modules_to_save["default"].weight
    assert torch.equal(again.model.multi_modal_projector.weight, trained)


def test_parts_that_learned_in_full_are_exported(shared_files, converted, tmp_path):
    base = MiniGPT4ForConditionalGeneration.from_pretrained(converted("vicuna"))
    config = LoraConfig(target_modules=DUMMY_TARGET_MODULES, modules_to_save=["qformer", "multi_modal_projector"])
    model = get_peft_model(base, config)
    base.model.qformer.modules_to_save["default"].layernorm.bias.data.fill_(2)
    model.save_pretrained(tmp_path / "adapter")
    checkpoint = export(tmp_path / "adapter", tmp_path / "checkpoint.pth")
    ours = torch.load(checkpoint)
    assert (ours["model"]["Qformer.bert.embeddings.LayerNorm.bias"] == 2).all()
    assert "ln_vision.bias" not in ours["model"]
    assert ours["config"] == {"model": {}}
    arguments = {**shared_files("vicuna").arguments, "checkpoint": checkpoint}
    again = MiniGPT4ForConditionalGeneration.from_pretrained(convert("vicuna", **arguments, output=tmp_path / "again"))
    assert (again.model.qformer.layernorm.bias == 2).all()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"modules_to_save": ["lm_head"]}, "lm_head.weight"),
        ({"use_rslora": True}, "use_rslora"),
        ({"use_dora": True}, "use_dora"),
        ({"alpha_pattern": {"q_proj": 3}}, "alpha_pattern"),
    ],
)
def test_what_has_no_place_in_a_checkpoint(converted, tmp_path, settings, word):
    base = MiniGPT4ForConditionalGeneration.from_pretrained(converted("llama2"))
    get_peft_model(base, LoraConfig(target_modules=["q_proj"], **settings)).save_pretrained(tmp_path / "adapter")
    with pytest.raises(ValueError, match=f"{word}.* no place"):
        export(tmp_path / "adapter", tmp_path / "checkpoint.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_a_merged_lora_cannot_be_taken_out(converted, tmp_path):
    with pytest.raises(ValueError, match="--keep-lora"):
        export(converted("v2"), tmp_path / "checkpoint.pth")
    MiniGPT4ForConditionalGeneration.from_pretrained(converted("v2")).save_pretrained(tmp_path / "saved")
    with pytest.raises(ValueError, match="--keep-lora"):
        export(tmp_path / "saved", tmp_path / "checkpoint.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_a_lora_that_was_merged_here_cannot_be_taken_out_either(converted, tmp_path):
    """Its checkpoint would hold the projection alone, and nobody would see that half of the training is missing."""
    base = MiniGPT4ForConditionalGeneration.from_pretrained(converted("llama2"))
    get_peft_model(base, lora_config(r=2)).save_pretrained(tmp_path / "adapter")
    merge_adapter(tmp_path / "adapter", tmp_path / "merged")
    with pytest.raises(ValueError, match="cannot be taken out again"):
        export(tmp_path / "merged", tmp_path / "checkpoint.pth")
    whole = get_peft_model(
        MiniGPT4ForConditionalGeneration.from_pretrained(converted("llama2")),
        LoraConfig(target_modules=DUMMY_TARGET_MODULES, modules_to_save=["multi_modal_projector"]),
    )
    whole.save_pretrained(tmp_path / "learned")
    merge_adapter(tmp_path / "learned", tmp_path / "whole")
    assert export(tmp_path / "whole", tmp_path / "checkpoint.pth").is_file()  # nothing of it is lost


def test_what_is_there_is_not_overwritten(converted, tmp_path):
    (tmp_path / "checkpoint.pth").write_text("mine")
    with pytest.raises(FileExistsError, match="exists already"):
        export(converted("llama2"), tmp_path / "checkpoint.pth")
    assert (tmp_path / "checkpoint.pth").read_text() == "mine"


def test_a_folder_of_another_model(shared_files, tmp_path):
    with pytest.raises(ValueError, match="model_type is 'llama'"):
        export(shared_files("llama2").language_model, tmp_path / "checkpoint.pth")
