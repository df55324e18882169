"""A MiniGPT-v2 of our own, with its LoRA, as an original-style checkpoint and back."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration, nano_path
from minigpt4.checkpoints.loading import load
from minigpt4.conversion import convert, export
from minigpt4.inference.answering import answer
from minigpt4.inference.turns import user_turn


TOWER, LANGUAGE_MODEL = "model.vision_tower.", "model.language_model."
SIZES = ("image_size", "patch_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")


@pytest.fixture(scope="module", params=["tiny", "nano-v2"])
def original(request, tmp_path_factory, tiny_v2_checkpoint) -> Path:
    """Folder of a model with a LoRA beside its weights."""
    folder = tmp_path_factory.mktemp("original") / request.param
    shutil.copytree(tiny_v2_checkpoint if request.param == "tiny" else nano_path("v2"), folder)
    settings = json.loads((folder / "config.json").read_text())
    settings.pop("merged_lora", None)  # another LoRA, on what nano-v2 is now
    (folder / "config.json").write_text(json.dumps(settings))
    torch.manual_seed(0)
    lora = LoraConfig(r=3, lora_alpha=16, lora_dropout=0.05, target_modules=["q_proj", "v_proj"])
    model = get_peft_model(MiniGPT4ForConditionalGeneration.from_pretrained(folder), lora)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.2)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def sources(original, tmp_path_factory) -> dict:
    """What conversion takes beside the checkpoint: the tower under BLIP-2's names, and the language model."""
    folder, tensors = tmp_path_factory.mktemp("sources"), load_file(original / "model.safetensors")
    config = MiniGPT4Config.from_pretrained(original)
    tower = {f"vision_model.{name.removeprefix(TOWER)}": each for name, each in tensors.items() if TOWER in name}
    save_file(tower, folder / "blip2.safetensors")
    language = {
        name.replace(LANGUAGE_MODEL, "model."): each for name, each in tensors.items() if LANGUAGE_MODEL in name
    }
    language |= {name: each for name, each in tensors.items() if name == "lm_head.weight"}
    config.text_config.save_pretrained(folder / "llm")
    save_file(language, folder / "llm" / "model.safetensors", metadata={"format": "pt"})
    AutoTokenizer.from_pretrained(original).save_pretrained(folder / "llm")
    return {
        "vision": folder / "blip2.safetensors",
        "qformer": folder / "blip2.safetensors",  # for the LayerNorm after the tower
        "language_model": folder / "llm",
        "config": {"vision_config": {name: getattr(config.vision_config, name) for name in SIZES}},
    }


def test_the_same_tensors_and_answers_come_back(original, sources, tmp_path):
    checkpoint = export(original, tmp_path / "old.pth")
    newer = export(original, tmp_path / "new.pth", newer_peft=True)
    old, new = (torch.load(file, weights_only=True)["model"] for file in (checkpoint, newer))
    assert sum(".default." in key for key in new) == sum(".lora_" in key for key in old) > 0
    assert old.keys() == {key.replace(".default.", ".") for key in new}

    kept = convert("v2", **sources, checkpoint=newer, keep_lora=True, output=tmp_path / "kept")
    row = MiniGPT4Config.from_pretrained(original).image_token_id
    for file in ("model.safetensors", "adapter_model.safetensors"):
        ours, theirs = load_file(kept / file), load_file(original / file)
        assert ours.keys() == theirs.keys()
        for name, tensor in ours.items():
            if name.endswith(("embed_tokens.weight", "lm_head.weight")):  # of the image token, which no text has
                tensor[row] = theirs[name][row]
            assert torch.equal(tensor, theirs[name]), name
    merged = convert("v2", **sources, checkpoint=checkpoint, output=tmp_path / "merged")
    expected = said(original)
    assert said(kept) == expected
    assert said(merged) == expected


def said(folder: Path) -> tuple[int, ...]:
    """The ids of a greedy answer."""
    chat = [user_turn("[refer] give me the location of the circle", Image.new("RGB", (40, 30), "red"))]
    [made] = answer(*load(folder), [chat], do_sample=False, max_new_tokens=12)
    return made.ids
