import pickle
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
from helpers.builds import Builds, shortened
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from minigpt4.evaluation.tasks.boxed_scenes import MAX_NEW_TOKENS
from minigpt4.training import training_template
from minigpt4.training.nano.settings import Pretraining
from minigpt4.training.nano.v2.build import build_nano_v2
from minigpt4.training.nano.v2.settings import NanoV2Recipe


PROJECTION = {"model.multi_modal_projector.weight", "model.multi_modal_projector.bias"}
STAGES = ("stage1", "stage2", "stage3")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> NanoV2Recipe:
    folder = tmp_path_factory.mktemp("recipes")
    tiny, stages = Pretraining(steps=2, batch_size=2, warmup_steps=1, float32=True), {}
    for stage in STAGES:
        path = Path(shortened(folder, f"nano-v2-{stage}", dataloader_num_workers=0))
        settings = yaml.safe_load(path.read_text())
        sets = [{**each, "batch_size": 2} for each in settings["data"]]
        path.write_text(yaml.safe_dump({**settings, "data": sets}))
        stages[stage] = str(path)
    return NanoV2Recipe(tower=tiny, lookups=tiny, language_model=tiny, ends=tiny, **stages)


@pytest.fixture(scope="module")
def build():
    with pytest.MonkeyPatch.context() as patch:
        for task in MAX_NEW_TOKENS:  # what has learned nothing never ends
            patch.setitem(MAX_NEW_TOKENS, task, 5)
        # One after another, in this process, where that limit holds.
        one_by_one = lambda jobs: [pickle.loads(pickle.dumps(job))() for job in jobs]  # noqa: E731
        patch.setattr("minigpt4.training.nano.v2.build.side_by_side", one_by_one)
        yield partial(build_nano_v2, repeats=1)


@pytest.fixture(scope="module")
def built(build, recipe, tmp_path_factory) -> tuple[Path, dict]:
    output = tmp_path_factory.mktemp("built") / "nano-v2"
    return output, build(output, seed=5, recipe=recipe, scenes=2)


class TestNanoV2(Builds):
    stages, other_recipe = STAGES, {"box_noise": 0.1}


def test_the_model_is_of_nano_v2s_kind(built):
    output, _ = built
    model, processor = AutoModelForImageTextToText.from_pretrained(output), AutoProcessor.from_pretrained(output)
    assert model.config.qformer_config is None
    assert model.config.token_merge_size == 4
    assert model.config.num_image_tokens == processor.num_image_tokens == 16
    assert processor.task_identifiers == ["vqa", "caption", "grounding", "refer", "identify", "detection"]
    assert model.generation_config.do_sample is False


def test_prompts_of_training_are_read_as_those_of_inference(built):
    processor = AutoProcessor.from_pretrained(built[0])
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "[vqa] what is this?"}]}]
    learned = [*chat, {"role": "assistant", "content": "ring"}]
    trained = processor.apply_chat_template(learned, chat_template=training_template("v2"))
    asked = processor.apply_chat_template(chat)
    assert trained != f"{asked.removeprefix('<s>')}ring</s>"  # as published
    read = lambda text: processor.tokenizer(text, add_special_tokens=False).input_ids  # noqa: E731
    assert read(trained) == read(f"{asked.removeprefix('<s>')}ring</s>")


def test_the_card_holds_the_scores(built):
    card = ModelCard.load(built[0] / "README.md")
    results = {result.metric_name: result for result in card.data.eval_results}
    assert results["[refer] mean IoU, per cent"].metric_type == "mean_iou"
    assert results["[refer] IoU above 0.5, per cent"].metric_type == "accuracy"
    assert "|  | stage 1 | stages 1 and 2 | all three |" in card.text
    assert "minigpt4 evaluate scenes --model nano-v2 --scenes 2 --seed 0" in card.text
    assert "|  | seed 5 | seed 6 |" in card.text
    assert "|  | right | right, without | in the task's form | in its form, without |" in card.text


def test_without_repeats_nothing_is_compared(build, built, recipe, tmp_path):
    shutil.copytree(f"{built[0]}.steps", tmp_path / "alone.steps")
    scores = build(tmp_path / "alone", seed=5, recipe=recipe, scenes=2, repeats=0)
    assert scores == {stage: built[1][stage] for stage in STAGES}
    card = ModelCard.load(tmp_path / "alone" / "README.md")
    assert card.text.count("Not measured here") == 2
    assert "seed 6" not in card.text


def test_what_is_compared_begins_with_the_same_frozen_parts(built):
    steps = built[0].with_name("nano-v2.steps")
    made = {
        name: load_file(steps / name / "kept" / "model.safetensors")
        for name in ("stage3", "seed6/stage3", "with-identifiers", "without-identifiers")
    }
    for name, tensors in made.items():
        others = [other for key, other in made.items() if key != name]
        assert not any(torch.equal(tensors[key], other[key]) for key in PROJECTION for other in others)
        assert all(
            torch.equal(tensors[key], other[key]) for other in others for key in tensors if key not in PROJECTION
        )
    assert built[1]["stage2 alone, without identifiers"]["identifiers"] is False


def test_projection_and_lora_learned_and_no_other_byte(built):
    steps = built[0].with_name("nano-v2.steps")
    assembled = load_file(steps / "assembled" / "model.safetensors")
    pretrained = load_file(steps / "language_model" / "model.safetensors")
    for name, value in load_file(steps / "tower.safetensors").items():
        assert torch.equal(assembled[f"model.vision_tower.{name}"], value), name
    for name, value in pretrained.items():
        if name != "lm_head.weight":
            assert torch.equal(assembled[name.replace("model.", "model.language_model.", 1)], value), name

    before = None
    for stage in STAGES:
        kept = load_file(steps / stage / "kept" / "model.safetensors")
        adapter = load_file(steps / stage / "kept" / "adapter_model.safetensors")
        assert {name for name in kept if not torch.equal(kept[name], assembled[name])} == PROJECTION
        assert all(".lora_" in name for name in adapter)
        assert {name.split(".")[-3] for name in adapter} == {"q_proj", "v_proj"}
        assert all(value.abs().max() > 0 for name, value in adapter.items() if "lora_B" in name)
        if before:  # the same LoRA learned on
            assert not any(torch.equal(adapter[name], before[name]) for name in adapter)
            assert all((adapter[name] - before[name]).abs().max() < 0.05 for name in adapter)
        before = adapter
        merged = load_file(steps / stage / "merged" / "model.safetensors")
        changed = {name for name in merged if not torch.equal(merged[name], kept[name])}
        assert changed == {
            name for name in merged if name.endswith(("q_proj.weight", "v_proj.weight")) and "language" in name
        }


def test_kept_and_merged_lora_give_the_same(built):
    steps = built[0].with_name("nano-v2.steps")
    kept, merged = (
        AutoModelForImageTextToText.from_pretrained(steps / "stage3" / form) for form in ("kept", "merged")
    )
    ids, picture = torch.tensor([[1] + [kept.config.image_token_id] * 16 + [300, 301]]), torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        logits = [model(input_ids=ids, pixel_values=picture).logits for model in (kept, merged)]
    torch.testing.assert_close(*logits)
    assert merged.config.merged_lora == {"r": 64, "lora_alpha": 64, "target_modules": ["q_proj", "v_proj"]}
