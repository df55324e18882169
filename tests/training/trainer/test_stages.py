import copy

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

import minigpt4  # noqa: F401
from minigpt4.training import (
    SequenceArguments,
    SequenceCollator,
    StageArguments,
    StageTrainer,
    published_learning_rate,
)


COLOURS = ["red", "green", "blue", "white"]
ROWS = [{"image": Image.new("RGB", (28, 28), colour), "text": colour} for colour in COLOURS] * 4


@pytest.fixture
def arguments(tmp_path):
    def make(**kwargs) -> StageArguments:
        settings = {
            "output_dir": str(tmp_path / "run"),
            "max_steps": 6,
            "per_device_train_batch_size": 4,
            "learning_rate": 1e-2,
            "min_lr": 1e-3,
            "warmup_lr": 1e-4,
            "warmup_steps": 2,
            "weight_decay": 0.05,
            "logging_steps": 1,
            "save_strategy": "no",
            "report_to": "none",
            "use_cpu": True,
            "disable_tqdm": True,
        }
        return StageArguments(**{**settings, **kwargs})

    return make


def train(model, args, processor, sequence=None):
    trainer = StageTrainer(
        model, args, sequence or SequenceArguments(), processing_class=processor, train_dataset=ROWS
    )
    trainer.train()
    return trainer


def test_only_the_projection_learns(model, processor, arguments):
    before = copy.deepcopy(model.state_dict())
    train(model, arguments(), processor)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]) == ("multi_modal_projector" not in name), name


def test_learning_rates_and_weight_decay_are_the_published_ones(model, processor, arguments):
    args = arguments()
    trainer = train(model, args, processor)
    rates = [entry["learning_rate"] for entry in trainer.state.log_history if "learning_rate" in entry]
    expected = [published_learning_rate(step, 6, 1e-2, 1e-3, 1e-4, 2) for step in range(6)]
    assert rates == pytest.approx(expected)
    groups = {group["weight_decay"]: [p.shape for p in group["params"]] for group in trainer.optimizer.param_groups}
    assert {decay: [len(shape) for shape in shapes] for decay, shapes in groups.items()} == {0.05: [2], 0.0: [1]}


def test_loss_is_the_mean_over_answer_tokens(model, processor, arguments):
    trainer = StageTrainer(model, arguments(), SequenceArguments(), processing_class=processor, train_dataset=ROWS)
    batch = SequenceCollator(processor, SequenceArguments())(ROWS[:4])
    logits = model(**{name: batch[name] for name in ("input_ids", "attention_mask", "pixel_values")}).logits
    log_probabilities = logits[:, :-1].log_softmax(-1)
    targets = batch["labels"][:, 1:]
    answers = targets != -100
    picked = log_probabilities.gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    expected = -picked[answers].mean()
    torch.testing.assert_close(trainer.compute_loss(model, dict(trainer.data_collator(ROWS[:4]))), expected)


def test_learns_to_name_colours(model, processor, arguments):
    trainer = train(model, arguments(max_steps=60, learning_rate=5e-2, min_lr=1e-2), processor)
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_same_seed_same_weights(tiny_checkpoint, processor, arguments):
    weights = []
    for _ in range(2):
        model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
        train(model, arguments(), processor)
        weights.append(model.model.multi_modal_projector.weight.detach())
    assert torch.equal(*weights)


def test_what_is_saved_loads_and_answers(model, processor, arguments, tmp_path):
    trainer = train(model, arguments(), processor)
    trainer.save_model(str(tmp_path / "saved"))
    loaded = AutoModelForImageTextToText.from_pretrained(tmp_path / "saved")
    processor = AutoProcessor.from_pretrained(tmp_path / "saved")
    inputs = processor(images=ROWS[0]["image"], text="<ImageHere>", return_tensors="pt")
    torch.testing.assert_close(loaded(**inputs).logits, model.eval()(**inputs).logits)
    assert loaded.generation_config.end_sequences == model.generation_config.end_sequences


def test_prints_what_learns(model, processor, arguments, capsys):
    StageTrainer(model, arguments(), SequenceArguments(), processing_class=processor, train_dataset=ROWS)
    printed = capsys.readouterr().err
    assert "multi_modal_projector" in printed
    assert "frozen" in printed
