"""Trainers, models and processors that push: what a run puts on a Hub on this machine."""

import json
import shutil

import pytest
import torch
from helpers.answers import answers
from huggingface_hub import ModelCard
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, Trainer, TrainingArguments

from minigpt4.cli import run
from minigpt4.modeling_minigpt4.adapters_minigpt4 import describe_base
from minigpt4.training import StageTrainer, load_recipe


SECRET = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin", "trainer_state.json")
ROWS = [{"image": Image.new("RGB", (40, 30), "red"), "text": "A red picture."}] * 4


def trainer(checkpoint, output, **settings) -> StageTrainer:
    args, sequence = load_recipe(
        "stage2", output_dir=str(output), max_steps=2, per_device_train_batch_size=2, bf16=False, **settings
    )
    model, processor = (
        AutoModelForImageTextToText.from_pretrained(checkpoint),
        AutoProcessor.from_pretrained(checkpoint),
    )
    base = describe_base(str(checkpoint))
    return StageTrainer(model, args, sequence, processing_class=processor, train_dataset=ROWS, base=base)


def test_a_run_pushes_a_model_that_needs_nothing_else(hub, tiny_checkpoint, tmp_path):
    stage2 = trainer(
        tiny_checkpoint,
        tmp_path / "run",
        push_to_hub=True,
        hub_model_id="somebody/run",
        hub_token="hf_loopbackLoopbackLoopback",
        save_strategy="steps",
        save_steps=1,
    )
    stage2.train()
    repo = hub.repos["models/somebody/run"]
    assert len(repo.branches["main"]) == 3  # at each of the two checkpoints
    stage2.push_to_hub()
    assert {"model.safetensors", "config.json", "modeling_minigpt4.py", "processor_config.json"} <= set(repo.files)
    assert not set(SECRET) & set(repo.files)
    assert not any(b"hf_loopback" in content for content in repo.files.values())
    assert not any(str(tmp_path).encode() in content for content in repo.files.values())  # nor a path of this machine
    (tmp_path / "pulled").mkdir()
    for name, content in repo.files.items():
        (tmp_path / "pulled" / name).write_bytes(content)
    pulled = AutoModelForImageTextToText.from_pretrained(tmp_path / "pulled").state_dict()
    trained = stage2.model.state_dict()
    assert all(torch.equal(pulled[name], trained[name]) for name in trained)
    assert not torch.equal(
        pulled["model.multi_modal_projector.weight"],
        AutoModelForImageTextToText.from_pretrained(tiny_checkpoint).model.multi_modal_projector.weight,
    )
    card = ModelCard(repo.files["README.md"].decode())
    assert "272 parameters learned (mask `projector`)" in card.text
    assert "| steps | 2 |" in card.text
    assert 'model="somebody/run"' in card.text


@pytest.fixture
def adapter(tiny_checkpoint, tmp_path):
    """What a run saves that learned the projection."""
    stage2 = trainer(tiny_checkpoint, tmp_path / "adapter")
    stage2.train()
    stage2.save_model()
    return tmp_path / "adapter"


def test_an_adapter_and_its_base_on_the_hub(hub, adapter, tiny_checkpoint, pull):
    assert run(["push", str(tiny_checkpoint), "base"]) == 0
    assert run(["push", str(adapter), "adapter", "--adapter-only", "--base", "somebody/base"]) == 0
    files = hub.repos["models/somebody/adapter"].files
    assert "model.safetensors" not in files
    assert "config.json" not in files
    assert json.loads(files["adapter_config.json"])["base_model_name_or_path"] == "somebody/base"
    card = ModelCard(files["README.md"].decode())
    assert (card.data.base_model, card.data.library_name) == ("somebody/base", "peft")
    assert "272 parameters learned" in card.text
    trained = answers(str(adapter))
    assert pull("somebody/adapter") == trained
    assert answers(str(tiny_checkpoint))["logits"] != trained["logits"]


def test_an_adapter_of_a_folder_is_refused_alone_and_merged_else(hub, adapter, capfd):
    assert run(["push", str(adapter), "adapter", "--adapter-only"]) == 1
    said = capfd.readouterr().err.strip()
    assert "--base" in said
    assert hub.requests == []
    assert run(["push", str(adapter), "adapter"]) == 0
    assert "model.safetensors" in hub.repos["models/somebody/adapter"].files
    assert "adapter_config.json" not in hub.repos["models/somebody/adapter"].files


def test_an_adapter_beside_its_model_goes_with_it(hub, adapter, tiny_checkpoint, tmp_path):
    both = shutil.copytree(tiny_checkpoint, tmp_path / "both")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(adapter / name, both)
    assert run(["push", str(both), "both"]) == 0
    files = hub.repos["models/somebody/both"].files
    assert {"model.safetensors", "adapter_model.safetensors"} <= set(files)
    assert str(tmp_path).encode() not in files["adapter_config.json"]
    (tmp_path / "pulled").mkdir()
    for name, content in files.items():
        (tmp_path / "pulled" / name).write_bytes(content)
    pulled, trained = (AutoModelForImageTextToText.from_pretrained(name) for name in (tmp_path / "pulled", adapter))
    inputs = AutoProcessor.from_pretrained(adapter)(
        images=ROWS[0]["image"], text="<ImageHere> What?", return_tensors="pt"
    )
    assert torch.equal(pulled(**inputs).logits, trained(**inputs).logits)


def test_an_adapter_whose_base_has_changed_is_not_pushed(hub, tiny_checkpoint, tmp_path, capfd):
    base = tmp_path / "base"
    for auto_class in (AutoModelForImageTextToText, AutoProcessor):
        auto_class.from_pretrained(tiny_checkpoint).save_pretrained(base)
    stage2 = trainer(base, tmp_path / "run")
    stage2.train()
    stage2.save_model()
    other = AutoModelForImageTextToText.from_pretrained(base)
    torch.nn.init.normal_(other.lm_head.weight)
    other.save_pretrained(base)
    assert run(["push", str(tmp_path / "run"), "adapter"]) == 1
    assert "changed" in capfd.readouterr().err
    assert hub.requests == []


def test_models_and_processors_push_themselves(hub, tiny_checkpoint):
    AutoModelForImageTextToText.from_pretrained(tiny_checkpoint).push_to_hub("somebody/parts", max_shard_size="20KB")
    AutoProcessor.from_pretrained(tiny_checkpoint).push_to_hub("somebody/parts")
    repo = hub.repos["models/somebody/parts"]
    assert len(repo.branches["main"]) == 3  # one commit each
    files = repo.files
    assert {"config.json", "model.safetensors.index.json", "modeling_minigpt4.py", "README.md"} <= set(files)
    assert {"processor_config.json", "processing_minigpt4.py", "image_processing_minigpt4.py"} <= set(files)
    assert set(json.loads(files["config.json"])["auto_map"]) == {
        "AutoConfig",
        "AutoModel",
        "AutoModelForCausalLM",
        "AutoModelForImageTextToText",
        "AutoModelForMultimodalLM",
        "AutoModelForPreTraining",
    }


def test_the_plain_trainer_pushes_what_others_can_load(hub, tiny_checkpoint, tmp_path):
    args = TrainingArguments(
        str(tmp_path), push_to_hub=True, hub_model_id="somebody/plain", use_cpu=True, report_to="none"
    )
    model, processor = (
        auto_class.from_pretrained(tiny_checkpoint) for auto_class in (AutoModelForImageTextToText, AutoProcessor)
    )
    Trainer(model, args, processing_class=processor).push_to_hub()
    files = hub.repos["models/somebody/plain"].files
    assert {"model.safetensors", "modeling_minigpt4.py", "processing_minigpt4.py", "README.md"} <= set(files)
