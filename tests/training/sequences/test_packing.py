"""Packed batches: the same loss and gradients as padded ones, with every row by itself."""

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, Trainer, TrainingArguments

from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration
from minigpt4.training import PackingCollator, SequenceArguments, SequenceCollator, StageTrainer, use_packed_attention
from minigpt4.training.sequences.packing import PACKED_ATTENTION


RED, BLUE, GREEN = (Image.new("RGB", (28, 28), colour) for colour in ("red", "blue", "green"))


def chat(*images, answer: str) -> dict:
    messages = [{"role": "user", "content": "What is it?"}, {"role": "assistant", "content": answer}]
    return {"images": list(images), "messages": messages}


ROWS = [
    chat(RED, answer="Red."),
    chat(answer="I see no picture at all."),
    chat(BLUE, GREEN, answer="First blue, then green."),
    {"image": GREEN, "text": "green"},
]
ATTENTION = {
    "as many heads": {},
    "grouped heads": {"num_key_value_heads": 1},
    "sliding window": {"model_type": "mistral", "sliding_window": 8, "num_key_value_heads": 2},
}


@pytest.fixture
def with_language_model(model):
    """The tiny model, with another language model inside."""

    def make(**text) -> MiniGPT4ForConditionalGeneration:
        kept = {name: getattr(model.config.text_config, name) for name in ("vocab_size", "pad_token_id")}
        sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
        text = {"model_type": "llama", "initializer_range": 0.3, **kept, **sizes, **text}
        torch.manual_seed(0)
        return MiniGPT4ForConditionalGeneration(MiniGPT4Config(**{**model.config.to_dict(), "text_config": text}))

    return make


def loss_and_gradients(model, batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    model.zero_grad()
    loss = model(**batch).loss
    loss.backward()
    return loss.detach(), {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("packed_attention", [True, False])
@pytest.mark.parametrize("text", ATTENTION.values(), ids=ATTENTION)
def test_loss_and_gradients_are_those_of_padded_rows(with_language_model, processor, text, packed_attention):
    model = with_language_model(**text).double().eval()
    padded = SequenceCollator(processor, SequenceArguments())(ROWS)
    packed = PackingCollator(processor, SequenceArguments())(ROWS)
    assert packed["input_ids"].shape == (1, padded["attention_mask"].sum())
    loss, gradients = loss_and_gradients(model, padded)
    if packed_attention:
        use_packed_attention(model)
    packed_loss, packed_gradients = loss_and_gradients(model, packed)
    torch.testing.assert_close(packed_loss, loss, rtol=1e-6, atol=0)
    for name, gradient in gradients.items():
        torch.testing.assert_close(packed_gradients[name], gradient, rtol=1e-5, atol=1e-8, msg=name)
    assert gradients["model.multi_modal_projector.weight"].abs().max() > 0


def test_a_row_is_what_it_is_alone(model, processor):
    use_packed_attention(model)
    collate = PackingCollator(processor, SequenceArguments())
    together = model(**collate(ROWS)).logits[0]
    alone = torch.cat([model(**collate([row])).logits[0] for row in ROWS])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_what_a_packed_batch_holds(processor):
    packed = PackingCollator(processor, SequenceArguments())(ROWS)
    single = [SequenceCollator(processor, SequenceArguments())([row]) for row in ROWS]
    lengths = [row["input_ids"].shape[1] for row in single]
    for name in ("input_ids", "labels"):
        assert torch.equal(packed[name], torch.cat([row[name] for row in single], dim=1)), name
    pixels = [row["pixel_values"] for row in single if "pixel_values" in row]
    assert torch.equal(packed["pixel_values"], torch.cat(pixels))
    assert packed["position_ids"][0].tolist() == [position for length in lengths for position in range(length)]
    assert packed["cu_seq_lens_q"].diff().tolist() == lengths
    assert packed["max_length_q"] == max(lengths)
    assert (packed["labels"][0, packed["cu_seq_lens_q"][:-1]] == -100).all()


def test_padded_batches_go_on_as_before(model, processor):
    padded = SequenceCollator(processor, SequenceArguments())(ROWS)
    expected = model(**padded).loss
    use_packed_attention(model)
    assert model.config.text_config._attn_implementation == PACKED_ATTENTION
    torch.testing.assert_close(model(**padded).loss, expected)
    image = processor(images=RED, text="<ImageHere> a", return_tensors="pt")
    assert model.generate(**image, max_new_tokens=3, tokenizer=processor.tokenizer).shape[1] > 1


@pytest.mark.parametrize("name", ["own-folder", "lora"])
def test_stages_pack_by_themselves(recipe, processor, name):
    from minigpt4.training.run import run

    losses = []
    for packing in (None, False):
        read = recipe(name, bf16=False, packing=packing, learning_rate=1e-2, lora_dropout=0.0)
        read.args.output_dir += str(packing)
        seen = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(StageTrainer, "log", lambda self, logs, *args, seen=seen: seen.append((self, logs)))
            run(read)
        assert isinstance(seen[0][0].data_collator, PackingCollator) is (packing is None)
        losses.append([logs["loss"] for _, logs in seen if "loss" in logs])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_evaluation_counts_rows_alike(recipe, own_folder, model, processor):
    """Batches of different sizes: a packed one is no single row."""
    losses = []
    for packing in (True, False):
        read = recipe(packing=packing, per_device_eval_batch_size=3, bf16=False)
        rows = [{"image": RED, "text": "red" * (1 + number)} for number in range(4)]
        trainer = StageTrainer(model, read.args, read.sequence, processing_class=processor, eval_dataset=rows)
        losses.append(trainer.evaluate()["eval_loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_language_models_that_cannot(with_language_model, processor, recipe):
    read = recipe(bf16=False)
    model = with_language_model(model_type="lfm2", layer_types=["conv", "full_attention"], num_key_value_heads=2)
    trainer = StageTrainer(model, read.args, read.sequence, processing_class=processor)
    assert not isinstance(trainer.data_collator, PackingCollator)
    read.args.packing = True
    with pytest.raises(ValueError, match="packing is true, but lfm2 has layers that carry a state from row to row"):
        StageTrainer(model, read.args, read.sequence, processing_class=processor)


def test_in_a_trainer_of_yours(tiny_checkpoint, processor, tmp_path):
    weights = []
    for collator in (PackingCollator, SequenceCollator):
        model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
        args = TrainingArguments(
            str(tmp_path / "run"),
            max_steps=2,
            per_device_train_batch_size=4,
            learning_rate=1e-3,
            optim="sgd",
            remove_unused_columns=False,
            report_to="none",
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
        )
        collate = collator(processor, SequenceArguments())
        Trainer(model, args, data_collator=collate, train_dataset=ROWS).train()
        weights.append(model.model.multi_modal_projector.weight.detach())
    torch.testing.assert_close(*weights, rtol=1e-5, atol=1e-6)
