"""What is saved, what comes back, and what is refused."""

import json
import shutil

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText, AutoProcessor, pipeline

from minigpt4.checkpoints.learned import learned_modules
from minigpt4.training import apply_mask
from minigpt4.training.run import run


PROJECTION = {f"base_model.model.model.multi_modal_projector.{name}" for name in ("weight", "bias")}
FAST = {"learning_rate": 1e-2, "min_lr": 1e-2, "warmup_lr": 1e-2, "bf16": False}

LOAD = """
import sys
import minigpt4, torch
from transformers import AutoModelForImageTextToText
model = AutoModelForImageTextToText.from_pretrained(sys.argv[1])
torch.save(model.eval()(**torch.load(sys.argv[2], weights_only=True)).logits, sys.argv[3])
"""


@pytest.fixture
def inputs(processor):
    return dict(processor(images=Image.new("RGB", (28, 28), "red"), text="<ImageHere> What?", return_tensors="pt"))


def keys(folder) -> set[str]:
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        return set(file.keys())


def test_checkpoints_hold_the_projection_and_nothing_else(recipe, tmp_path):
    output = run(recipe(save_strategy="steps", save_steps=2))
    for folder in (output, output / "checkpoint-2", output / "checkpoint-4"):
        assert keys(folder) == PROJECTION
        assert not list(folder.glob("model*.safetensors"))
    assert not (output / ".saving").exists()


def test_a_checkpoint_and_its_base_are_the_model(recipe, inputs, tiny_checkpoint, fresh, tmp_path):
    learned = run(recipe(**FAST))
    whole = run(recipe(**FAST, save="full", output_dir=str(tmp_path / "full")))
    expected = AutoModelForImageTextToText.from_pretrained(whole)(**inputs).logits
    assert not torch.allclose(expected, AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)(**inputs).logits)
    torch.save(inputs, tmp_path / "inputs.pt")
    done = fresh(LOAD, learned, tmp_path / "inputs.pt", tmp_path / "logits.pt")
    assert done.returncode == 0, done.stderr
    assert torch.equal(torch.load(tmp_path / "logits.pt"), expected)
    assert AutoProcessor.from_pretrained(learned).num_image_tokens == 4


def test_a_pipeline_takes_a_checkpoint(recipe, picture):
    chat = [{"role": "user", "content": [{"type": "image", "path": str(picture)}, {"type": "text", "text": "What?"}]}]
    [answer] = pipeline("image-text-to-text", model=str(run(recipe())))(text=chat, return_full_text=False)
    assert isinstance(answer["generated_text"], str)


def test_lora_saved_in_full_is_merged(recipe, inputs, tmp_path):
    adapter = run(recipe("lora", **FAST))
    whole = run(recipe("lora", **FAST, save="full", output_dir=str(tmp_path / "full")))
    assert (adapter / "base.json").is_file()
    merged = AutoModelForImageTextToText.from_pretrained(whole)
    assert not any("lora" in name for name, _ in merged.named_parameters())
    assert merged.config.merged_lora == {"r": 64, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"]}
    expected = AutoModelForImageTextToText.from_pretrained(adapter, dtype=torch.float32).eval()(**inputs).logits
    torch.testing.assert_close(merged(**inputs).logits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("mask", "modules"),
    [
        ("projector", ["model.multi_modal_projector"]),
        (["multi_modal_projector", "layers.1"], ["model.multi_modal_projector", "model.language_model.layers.1"]),
        ("projector+qformer", None),  # the queries are a parameter beside the modules, which PEFT cannot name
        ("all", None),
    ],
)
def test_what_learned_by_name(model, mask, modules):
    apply_mask(model, mask if isinstance(mask, str) else ["multi_modal_projector", r"language_model.layers.1"])
    assert learned_modules(model) == modules


def test_what_has_no_name_is_saved_in_full(recipe):
    output = run(recipe("ablation-qformer"))
    assert "model.query_tokens" in load_file(output / "model.safetensors")


def test_another_base_is_refused(recipe, tiny_checkpoint, tmp_path):
    base = tmp_path / "base"
    AutoModelForImageTextToText.from_pretrained(tiny_checkpoint).save_pretrained(base)
    AutoProcessor.from_pretrained(tiny_checkpoint).save_pretrained(base)
    output = run(recipe(model_name_or_path=str(base), save_strategy="steps", save_steps=2))
    checkpoints = (output, output / "checkpoint-2")
    for folder in checkpoints:
        AutoModelForImageTextToText.from_pretrained(folder)
    other = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
    other.load_adapter(str(output))  # the same model in another place
    weights = load_file(base / "model.safetensors")
    weights["lm_head.weight"] += 1
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    for folder in checkpoints:
        with pytest.raises(
            ValueError, match=rf"^{folder} belongs to another model than .*base is now.*, or train again"
        ):
            AutoModelForImageTextToText.from_pretrained(folder)
    with pytest.raises(ValueError, match="belongs to another model than"):
        run(recipe(model_name_or_path=str(base), save_strategy="steps", save_steps=2), resume=True)
    settings = {"output_dir": str(tmp_path / "elsewhere"), "save_strategy": "steps", "save_steps": 4}
    elsewhere = run(recipe(**settings))
    with pytest.raises(ValueError, match=r"elsewhere belongs to .*checkpoint, not to .*base: load it with"):
        AutoModelForImageTextToText.from_pretrained(base).load_adapter(str(elsewhere))
    with pytest.raises(ValueError, match=r"checkpoint-4 belongs to .*checkpoint, not to .*base"):
        run(recipe(model_name_or_path=str(base), **settings), resume=True)


def test_what_packaging_writes_into_a_configuration_changes_no_base(recipe, tiny_checkpoint, tmp_path):
    base = shutil.copytree(tiny_checkpoint, tmp_path / "base")
    output = run(recipe(model_name_or_path=str(base), max_steps=1))
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "transformers_version": "9", "auto_map": {}}))
    AutoModelForImageTextToText.from_pretrained(output)
    (base / "config.json").write_text(json.dumps({**config, "pad_token_id": 7}))
    with pytest.raises(ValueError, match="belongs to another model than"):
        AutoModelForImageTextToText.from_pretrained(output)


@pytest.mark.parametrize(("change", "which"), [("missing", "bias"), ("unexpected", "another")])
def test_an_adapter_whose_keys_are_others(recipe, change, which):
    file = run(recipe(max_steps=1)) / "adapter_model.safetensors"
    weights = load_file(file)
    if change == "missing":
        del weights["base_model.model.model.multi_modal_projector.bias"]
    else:
        weights["base_model.model.another.weight"] = torch.zeros(2, 2)
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=rf"does not fit the model: 1 keys differ, first .*{which}.* \({change}\)"):
        AutoModelForImageTextToText.from_pretrained(file.parent)


def test_a_run_with_another_mask_is_refused(recipe):
    run(recipe(save_strategy="steps", save_steps=2))
    with pytest.raises(
        ValueError, match=r"of a run with another mask: .* missing .model\.language_model\.layers\.1\."
    ):
        run(recipe(mask=["multi_modal_projector", "language_model.layers.1"]), resume=True)


def test_a_key_that_is_missing_in_a_whole_checkpoint(recipe):
    settings = {"save": "full", "save_strategy": "steps", "save_steps": 2}
    checkpoint = run(recipe(**settings)) / "checkpoint-4"
    weights = load_file(checkpoint / "model.safetensors")
    del weights["model.query_tokens"]
    save_file(weights, checkpoint / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"does not fit the model: 1 missing .model\.query_tokens"):
        run(recipe(**settings), resume=True)


def test_the_last_checkpoints_are_kept_and_the_best(recipe, own_folder):
    settings = {"save_strategy": "steps", "save_steps": 1, "save_total_limit": 2}
    evaluation = {"eval_data": str(own_folder), "eval_split": "train", "eval_strategy": "steps", "eval_steps": 1}
    best = {"load_best_model_at_end": True, "metric_for_best_model": "loss", "samples": 0}
    output = run(recipe(**settings, **evaluation, **best))
    kept = sorted(path.name for path in output.glob("checkpoint-*"))
    state = json.loads((output / "checkpoint-4" / "trainer_state.json").read_text())
    assert len(kept) == 2
    assert "checkpoint-4" in kept
    assert state["best_model_checkpoint"] == str(output / f"checkpoint-{state['best_global_step']}")


@pytest.mark.parametrize("name", ["own-folder", "lora"])
def test_a_run_goes_on_to_save_in_another_form(recipe, inputs, name):
    settings = {**FAST, "save_strategy": "steps", "save_steps": 4}
    output = run(recipe(name, **settings))
    learned = AutoModelForImageTextToText.from_pretrained(output, dtype=torch.float32).eval()(**inputs).logits
    run(recipe(name, **settings, save="full"), resume=True)
    assert not list(output.glob("adapter_*"))
    torch.testing.assert_close(
        AutoModelForImageTextToText.from_pretrained(output)(**inputs).logits, learned, rtol=1e-4, atol=1e-4
    )


def test_from_a_whole_checkpoint_to_what_learned(recipe, inputs):
    settings = {**FAST, "save_strategy": "steps", "save_steps": 4}
    output = run(recipe(**settings, save="full"))
    whole = AutoModelForImageTextToText.from_pretrained(output)(**inputs).logits
    run(recipe(**settings), resume=True)
    assert keys(output) == PROJECTION
    assert not (output / "model.safetensors").exists()
    assert torch.equal(AutoModelForImageTextToText.from_pretrained(output)(**inputs).logits, whole)


def test_half_a_checkpoint_stays_none(recipe, tmp_path):
    (tmp_path / "run" / ".saving" / "checkpoint-9").mkdir(parents=True)
    assert not (run(recipe(max_steps=1)) / "checkpoint-9").exists()
