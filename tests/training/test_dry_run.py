"""`--dry-run`: the plan of a recipe, without weights."""

import json

import pytest
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForImageTextToText

from minigpt4.cli import run
from minigpt4.training import apply_mask, read_recipe
from minigpt4.training.model import load_config
from minigpt4.training.reports.dry_run import count_operations, model_without_weights


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (30, 20), "red").save(folder / "0.png")
    lines = [json.dumps({"file_name": "0.png", "text": "A red ring."})] * 6
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    return folder


def planned(model, name, **values):
    recipe = read_recipe(name, model_name_or_path=str(model), bf16=False, use_cpu=True, **values)
    return model_without_weights(load_config(recipe.model), recipe.model, recipe.args.mask, torch.float32)


def test_it_prints_the_plan_and_loads_no_weights(tiny_checkpoint, pictures, capsys, monkeypatch):
    monkeypatch.setattr("minigpt4.training.run.load_model", None)
    words = ["train", "own-folder", "--set", f"model_name_or_path={tiny_checkpoint}", "--set", f"data={pictures}"]
    assert run([*words, "--dry-run", "--speed", "0.001"]) == 0
    out = capsys.readouterr().out
    model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
    learning = sum(parameter.numel() for parameter in model.model.multi_modal_projector.parameters())
    assert f"{learning:,}" in out
    assert f"{sum(parameter.numel() for parameter in model.parameters()) - learning:,}" in out  # frozen
    assert "Run: 18 samples, 4 steps of 4" in out  # three epochs of six
    assert "GiB" in out
    assert "hours at 0.001 TFLOP/s" in out
    assert not (pictures.parent / "runs").exists()


def test_a_speed_is_for_a_dry_run(tiny_checkpoint, capsys):
    assert run(["train", "own-folder", "--set", f"model_name_or_path={tiny_checkpoint}", "--speed", "50"]) != 0
    assert "--speed 50 is for --dry-run only" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "mask"), [("own-folder", "projector"), ("own-folder", "all"), ("lora", None)])
def test_operations_are_those_that_pytorch_counts(tiny_checkpoint, name, mask):
    values = {"mask": mask} if mask else {}
    plan = planned(tiny_checkpoint, name, **values)
    base = getattr(plan, "get_base_model", lambda: plan)()
    config = base.config
    ids = torch.randint(5, 50, (1, 96))
    ids[:, 1 : 1 + config.num_image_tokens] = config.image_token_id
    real = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint, attn_implementation="eager")
    if name == "lora":
        from minigpt4.training.lora import get_peft_model, lora_config

        real = get_peft_model(real, lora_config())
    apply_mask(real, mask or "projector+lora")
    size = config.image_size
    with FlopCounterMode(display=False) as counter:
        real(input_ids=ids, labels=ids, pixel_values=torch.randn(1, 3, size, size)).loss.backward()
    told = count_operations(plan, tokens=96, learned=96).total
    assert told == pytest.approx(counter.get_total_flops(), rel=0.2)
