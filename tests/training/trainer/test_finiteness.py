import pytest
import torch
from transformers import TrainerCallback

from minigpt4.training import NonFiniteError, StageTrainer
from minigpt4.training.data.sources import load_train_rows


class BreakAt(TrainerCallback):
    """Spoils something at the start of a step."""

    def __init__(self, step, spoil):
        self.step, self.spoil = step, spoil

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step + 1 == self.step:
            self.spoil()


@pytest.fixture
def trainer(recipe, model, processor):
    read = recipe(save_strategy="steps", save_steps=1, bf16=False)
    rows = load_train_rows(read.data)
    return StageTrainer(model, read.args, read.sequence, processing_class=processor, train_dataset=rows)


def test_a_module_that_overflows(trainer, tmp_path):
    layer = trainer.model.model.language_model.layers[1].mlp

    def overflow():
        layer.register_forward_hook(lambda module, inputs, output: output * float("inf"))

    trainer.add_callback(BreakAt(3, overflow))
    before = trainer.model.model.multi_modal_projector.weight.detach().clone()
    with pytest.raises(NonFiniteError) as error:
        trainer.train()
    message = str(error.value)
    assert "The loss is nan at step 3 (rows " in message
    assert "the first module whose output is not finite is model.language_model.layers.1.mlp" in message
    after = trainer.model.model.multi_modal_projector.weight
    assert after.isfinite().all()
    assert not torch.equal(before, after)
    assert sorted(path.name for path in (tmp_path / "run").glob("checkpoint-*")) == ["checkpoint-1", "checkpoint-2"]


def test_a_gradient_that_overflows(trainer):
    def spoil():
        trainer.model.model.multi_modal_projector.bias.register_hook(lambda gradient: gradient * float("nan"))

    trainer.add_callback(BreakAt(2, spoil))
    with pytest.raises(
        NonFiniteError, match=r"a gradient is not at step 2 .*gradient that is not finite is that of .*bias"
    ):
        trainer.train()


def test_a_weight_that_was_broken_before(trainer):
    with torch.no_grad():
        trainer.model.model.vision_tower.post_layernorm.weight[0] = float("nan")
    with pytest.raises(NonFiniteError, match=r"step 1 .*the weight model\.vision_tower\.post_layernorm\.weight has"):
        trainer.train()


def test_float16_passes_over_what_its_scale_makes_too_large(trainer):
    trainer.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    trainer.train()
    assert 0 < trainer.accelerator.scaler.get_scale() < 2.0**127
