"""TRL's `SFTTrainer` as it stands: what it learns of every kind of row, token by token."""

import json
import subprocess
import sys
from pathlib import Path

import datasets
import pytest
import torch
from helpers import ROOT
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
from trl import SFTConfig, SFTTrainer

from minigpt4 import nano_path
from minigpt4.training import apply_mask, lora_config, training_template


RED, BLUE = (Image.new("RGB", (28, 28), colour) for colour in ("red", "blue"))
CHAT = [
    {"role": "user", "content": "What is it?"},
    {"role": "assistant", "content": "A cat."},
    {"role": "user", "content": "Sure?"},
    {"role": "assistant", "content": "Yes."},
]
MESSAGES = datasets.List({"role": datasets.Value("string"), "content": datasets.Value("string")})
IMAGES = datasets.List(datasets.Image())
TEXT = datasets.Value("string")


def rows(features: dict, *given: dict) -> datasets.Dataset:
    return datasets.Dataset.from_list(list(given) * 2, features=datasets.Features(features))


@pytest.fixture
def chats():
    """Rows without an image, with one and with two."""
    counts = [[], [RED], [RED, BLUE]]
    return rows({"images": IMAGES, "messages": MESSAGES}, *({"images": images, "messages": CHAT} for images in counts))


@pytest.fixture
def sft(model, processor, tmp_path):
    def make(dataset, peft_config=None, template=None, **settings) -> SFTTrainer:
        if template:
            processor.chat_template = training_template(template)
        args = {
            "output_dir": str(tmp_path / "sft"),
            "max_steps": 1,
            "per_device_train_batch_size": len(dataset) if hasattr(dataset, "__len__") else 3,
            "shuffle_dataset": False,
            "report_to": "none",
            "save_strategy": "no",
            "use_cpu": True,
            "bf16": False,
            "disable_tqdm": True,
        }
        return SFTTrainer(
            model=model,
            args=SFTConfig(**{**args, **settings}),
            processing_class=processor,
            train_dataset=dataset,
            peft_config=peft_config,
        )

    return make


def test_a_model_by_its_name(chats, tmp_path):
    args = SFTConfig(str(tmp_path), report_to="none", use_cpu=True, bf16=False)
    trainer = SFTTrainer(str(nano_path()), args, train_dataset=chats)
    assert type(trainer.model).__name__ == "MiniGPT4ForConditionalGeneration"


def learned(trainer: SFTTrainer) -> set[tuple[int, ...]]:
    """What carries loss in the rows of a batch."""
    [batch] = [next(iter(trainer.get_train_dataloader()))]
    assert ((batch["labels"] == -100) | (batch["labels"] == batch["input_ids"])).all()
    return {tuple(ids[ids != -100].tolist()) for ids in batch["labels"]}


def test_assistant_only(sft, chats, processor, pieces):
    trainer = sft(chats, assistant_only_loss=True)
    # One string is rendered, so that an answer starts with its letter, not with a space of its own.
    answers = (*pieces("A cat.###", space=False), *pieces("Yes.###", space=False))
    assert learned(trainer) == {answers}
    batch = next(iter(trainer.get_train_dataloader()))
    placeholders = (batch["input_ids"] == processor.tokenizer.image_token_id).sum(1)
    assert sorted(placeholders.tolist()) == [0, 0, 4, 4, 8, 8]
    trainer.train()
    assert torch.isfinite(torch.tensor(trainer.state.log_history[-1]["train_loss"]))


def test_v2_ends_every_answer_in_training(sft, chats, pieces):
    answers = (*pieces("A cat.", space=False), 2, *pieces("Yes.", space=False), 2)
    assert learned(sft(chats, template="v2", assistant_only_loss=True)) == {answers}


def test_conversational_prompt_and_completion(sft, pieces):
    features = {"images": IMAGES, "prompt": MESSAGES, "completion": MESSAGES}
    data = rows(features, {"images": [RED], "prompt": CHAT[:1], "completion": CHAT[1:2]})
    trainer = sft(data)
    assert learned(trainer) == {tuple(pieces("A cat.###"))}
    trainer.train()


def test_prompt_and_completion_are_stage_2(sft, processor, pieces):
    from minigpt4.training import SequenceCollator, load_recipe

    _, sequence = load_recipe("stage2", output_dir="unused", bf16=False)
    sequence.prompts = sequence.prompts[:1]
    features = {"image": datasets.Image(), "prompt": TEXT, "completion": TEXT}
    data = rows(features, {"image": RED, "prompt": "<s>" + sequence.prompts[0], "completion": "The cat sits.###"})
    trainer = sft(data)
    assert learned(trainer) == {tuple(pieces("The cat sits.###"))}
    ours = SequenceCollator(processor, sequence)([{"image": RED, "text": "The cat sits."}] * 2)
    theirs = next(iter(trainer.get_train_dataloader()))
    for name in ("input_ids", "attention_mask", "labels", "pixel_values"):
        assert torch.equal(ours[name], theirs[name]), name


def test_text_beside_images(sft, processor, pieces):
    data = rows({"image": datasets.Image(), "text": TEXT}, {"image": RED, "text": "<s><ImageHere>a cat\n"})
    trainer = sft(data, remove_unused_columns=False)
    image = [processor.tokenizer.image_token_id] * 4
    # Plain language modelling learns everything, placeholders too: TRL makes these labels. docs/train.md says so.
    assert learned(trainer) == {(1, *image, *pieces("a cat\n"))}
    trainer.train()


def test_text_alone(sft, pieces):
    assert learned(sft(rows({"text": TEXT}, {"text": "a cat"}))) == {(1, *pieces("a cat"), 2)}


def test_streaming(sft, chats, pieces):
    trainer = sft(chats.to_iterable_dataset(), assistant_only_loss=True)
    assert learned(trainer) == {(*pieces("A cat.###", space=False), *pieces("Yes.###", space=False))}
    trainer.train()


@pytest.mark.parametrize("checkpointing", [True, False])
def test_lora_learns_and_the_towers_do_not(sft, chats, model, checkpointing):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trainer = sft(
        chats,
        peft_config=lora_config(r=4),
        assistant_only_loss=True,
        gradient_checkpointing=checkpointing,
        learning_rate=1e-2,
    )
    trainer.train()
    after = trainer.model.merge_and_unload().state_dict()
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert {name for name in changed if "q_proj" not in name and "v_proj" not in name} == {
        "model.multi_modal_projector.weight",
        "model.multi_modal_projector.bias",
    }
    # B of LoRA starts as zeros, so the first step moves it by its own gradient.
    assert any("q_proj" in name for name in changed)


def test_gradient_checkpointing_changes_no_gradient(sft, chats):
    norms = []
    for checkpointing in (True, False):
        trainer = sft(
            chats, assistant_only_loss=True, gradient_checkpointing=checkpointing, learning_rate=0.0, logging_steps=1
        )
        trainer.train()
        norms.append(trainer.state.log_history[0]["grad_norm"])
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


def test_text_alone_trains_the_projection_alone(sft, model):
    """Nothing of it is learned, and nothing breaks: the next batch may have images."""
    apply_mask(model, "projector")
    before = model.model.multi_modal_projector.weight.clone()
    trainer = sft(rows({"messages": MESSAGES}, {"messages": CHAT}), assistant_only_loss=True, weight_decay=0.0)
    trainer.train()
    assert torch.equal(before, model.model.multi_modal_projector.weight)


def test_one_process_and_two_and_both_come_back(tiny_checkpoint, fresh, tmp_path):
    done = fresh(ROOT / "tests/helpers/separate_sft.py", tiny_checkpoint, tmp_path)
    assert done.returncode == 0, done.stderr
    base = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
    one, two = (torch.load(tmp_path / processes / "seen.pt") for processes in ("1", "2"))
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-4)
    for processes, seen in ("1", one), ("2", two):
        # Trained in another process: nothing here knows it but the folder.
        loaded = AutoModelForImageTextToText.from_pretrained(tmp_path / processes)
        torch.testing.assert_close(loaded(**seen["inputs"]).logits, seen["logits"])
        assert not torch.allclose(base(**seen["inputs"]).logits, seen["logits"], atol=1e-2)


def test_trl_on_the_command_line(tiny_checkpoint, chats, tmp_path, monkeypatch):
    """The code lies beside the model that was saved, so that nobody needs to import minigpt4."""
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    (tmp_path / "set").mkdir()
    chats.to_parquet(tmp_path / "set" / "train.parquet")
    command = {
        "model_name_or_path": tiny_checkpoint,
        "trust_remote_code": True,
        "dataset_name": tmp_path / "set",
        "assistant_only_loss": True,
        "output_dir": tmp_path / "out",
        "max_steps": 1,
        "report_to": "none",
        "bf16": False,
        "use_cpu": True,
    }
    words = [word for key, value in command.items() for word in (f"--{key}", str(value))]
    trl = Path(sys.executable).with_name("trl")
    subprocess.run([trl, "sft", *words], check=True, stdin=subprocess.DEVNULL)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["model_type"] == "minigpt4"
    model = AutoModelForImageTextToText.from_pretrained(tmp_path / "out")
    assert AutoProcessor.from_pretrained(tmp_path / "out").num_image_tokens == model.config.num_image_tokens
