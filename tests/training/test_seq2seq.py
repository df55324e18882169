"""transformers' `Seq2SeqTrainer` as it stands: answers in place of logits."""

from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, Seq2SeqTrainer, Seq2SeqTrainingArguments


COLOURS = ("red", "blue", "green")


def test_predicts_what_the_model_generates(tiny_checkpoint, tmp_path):
    model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
    processor = AutoProcessor.from_pretrained(tiny_checkpoint)

    def collate(colours: list[str]):
        images = [[Image.new("RGB", (28, 28), colour)] for colour in colours]
        inputs = processor(images=images, text=["<ImageHere> What?"] * len(colours), return_tensors="pt")
        return inputs | {"labels": inputs["input_ids"]}

    args = Seq2SeqTrainingArguments(
        str(tmp_path),
        predict_with_generate=True,
        per_device_eval_batch_size=2,
        remove_unused_columns=False,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Seq2SeqTrainer(model, args, data_collator=collate, processing_class=processor)
    predicted = trainer.predict(list(COLOURS), max_new_tokens=5, max_length=40).predictions
    assert len(predicted) == len(COLOURS)
    for row, colour in zip(predicted, COLOURS, strict=True):
        inputs = collate([colour])
        inputs.pop("labels")
        expected = model.generate(**inputs, max_new_tokens=5)[0].tolist()
        padding = [processor.tokenizer.pad_token_id, -100]
        assert row[: len(expected)].tolist() == expected
        assert all(token in padding for token in row[len(expected) :])
