"""The head runs in front of labels only, and the loss is what it was."""

import copy
import sys
from functools import partial

import pytest
import torch
from PIL import Image

from minigpt4.modeling_minigpt4.loss_minigpt4 import can_skip_logits
from minigpt4.training import PackingCollator, SequenceArguments, SequenceCollator, StageTrainer, use_packed_attention
from minigpt4.training.data.sources import load_train_rows


ROWS = [{"image": Image.new("RGB", (28, 28), colour), "text": colour} for colour in ("red", "turquoise", "blue")]


@pytest.mark.parametrize("frozen_head", [True, False])
@pytest.mark.parametrize("num_items_in_batch", [None, 40])
@pytest.mark.parametrize("collator", [SequenceCollator, PackingCollator])
def test_loss_and_gradients_are_those_of_all_logits(
    model, processor, collator, num_items_in_batch, frozen_head, monkeypatch
):
    monkeypatch.setattr(sys.modules[can_skip_logits.__module__], "POSITIONS", 5)  # several parts, the last one smaller
    model.double()
    use_packed_attention(model)
    batch = dict(collator(processor, SequenceArguments())(ROWS))
    whole = copy.deepcopy(model)
    kwargs = {} if num_items_in_batch is None else {"num_items_in_batch": num_items_in_batch}
    if frozen_head:
        for each in (model, whole):
            each.lm_head.requires_grad_(False)
    few = model(**batch, **kwargs, skip_logits=frozen_head)
    del batch["logits_to_keep"]
    all_ = whole(**batch, **kwargs)
    learned = int((batch["labels"] != -100).sum())
    if frozen_head:
        assert few.logits is None
    else:
        assert few.logits.shape[:-1].numel() == learned < all_.logits.shape[:-1].numel()
        assert few.logits[..., model.config.image_token_id].max() == torch.finfo(few.logits.dtype).min
    few.loss.backward()
    all_.loss.backward()
    torch.testing.assert_close(few.loss, all_.loss, rtol=1e-6, atol=0)
    for (name, ours), theirs in zip(model.named_parameters(), whole.parameters(), strict=True):
        if ours.requires_grad:
            # transformers' softmax is in float32, whatever the model is in.
            torch.testing.assert_close(
                ours.grad, theirs.grad, rtol=1e-5, atol=1e-6, msg=partial("{}: {}".format, name)
            )


def test_positions_of_every_form(model, processor):
    """Whatever `logits_to_keep` may be, the loss is over the positions that it names."""
    batch = dict(SequenceCollator(processor, SequenceArguments())(ROWS[:1]))
    positions = batch.pop("logits_to_keep")
    expected = model(**batch).loss
    numbers = positions[0].nonzero()[:, 0]
    for keep in (positions, numbers, numbers[None], len(positions[0]) - int(numbers[0])):
        torch.testing.assert_close(model(**batch, logits_to_keep=keep).loss, expected)
    assert model(**batch, logits_to_keep=numbers[:1]).loss != expected


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("mask", ["projector", "all"])
def test_stages_make_no_other_logits(model, processor, recipe, monkeypatch, mask, packing):
    """Whether the head is frozen, or learns."""
    read = recipe("own-folder", packing=packing, mask=mask, bf16=False)
    batches, positions = [], []

    def linear(inputs, weight, *args, linear=torch.nn.functional.linear):
        if weight.shape == model.lm_head.weight.shape:
            positions.append(inputs.shape[:-1].numel())
        return linear(inputs, weight, *args)

    trainer = StageTrainer(model, read.args, read.sequence, processing_class=processor, train_dataset=ROWS)
    collate = trainer.data_collator
    trainer.data_collator = lambda rows: batches.append(collate(rows)) or batches[-1]
    monkeypatch.setattr(torch.nn.functional, "linear", linear)
    trainer.train()
    assert positions == [int((batch["labels"] != -100).sum()) for batch in batches[: len(positions)]]
    assert len(positions) == 4


@pytest.mark.parametrize("packing", [True, False])
def test_predictions_stand_beside_their_labels(recipe, model, processor, packing):
    seen = {}

    def count(predictions) -> dict:
        logits, labels = predictions.predictions[0], predictions.label_ids
        seen["shapes"] = logits.shape[:2], labels.shape
        learned = torch.from_numpy(labels[:, 1:])
        losses = torch.nn.functional.cross_entropy(torch.from_numpy(logits[:, :-1]).mT, learned, reduction="none")
        return {"mean": float(losses[learned != -100].mean())}

    read = recipe(bf16=False, packing=packing, per_device_eval_batch_size=8)
    rows = load_train_rows(read.data)
    trainer = StageTrainer(
        model, read.args, read.sequence, processing_class=processor, eval_dataset=rows, compute_metrics=count
    )
    metrics = trainer.evaluate()
    assert seen["shapes"][0] == seen["shapes"][1]
    assert metrics["eval_mean"] == pytest.approx(metrics["eval_loss"], rel=1e-4)
