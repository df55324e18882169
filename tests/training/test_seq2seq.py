"""transformers' `Seq2SeqTrainer` as it stands: answers in place of logits."""

import numpy as np
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, Seq2SeqTrainer, Seq2SeqTrainingArguments

from minigpt4 import nano_path
from minigpt4.evaluation.scenes import draw, sample_scenes
from minigpt4.inference.answering import answer
from minigpt4.inference.turns import user_turn


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


def test_metrics_read_no_end_mark(tmp_path):
    """Of nano, whose answers end in `###`, in rows of different lengths."""
    model = AutoModelForImageTextToText.from_pretrained(nano_path())
    processor = AutoProcessor.from_pretrained(nano_path())
    scenes = sample_scenes(seed=5)
    pictures = [draw(next(scenes)) for _ in range(3)]
    questions = ["Describe this image in detail.", "How many objects are there?", "Describe this image in detail."]
    read = []

    def collate(rows: list[int]):
        inputs = processor.apply_chat_template(
            [[user_turn(questions[row], pictures[row])] for row in rows],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            processor_kwargs={"return_tensors": "pt", "padding": True},
        )
        return inputs | {"labels": inputs["input_ids"]}

    def metrics(prediction):
        ids = np.where(prediction.predictions == -100, processor.pad_token_id, prediction.predictions)
        prompts = np.where(prediction.label_ids == -100, processor.pad_token_id, prediction.label_ids)
        texts = processor.batch_decode(ids, skip_special_tokens=True)
        begins = processor.batch_decode(prompts, skip_special_tokens=True)
        read.extend(text[len(begin) :].strip() for text, begin in zip(texts, begins, strict=True))
        return {}

    args = Seq2SeqTrainingArguments(
        str(tmp_path),
        predict_with_generate=True,
        generation_max_length=200,
        per_device_eval_batch_size=3,
        remove_unused_columns=False,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    Seq2SeqTrainer(
        model, args, data_collator=collate, processing_class=processor, eval_dataset=[0, 1, 2], compute_metrics=metrics
    ).evaluate()
    chats = [[user_turn(question, picture)] for question, picture in zip(questions, pictures, strict=True)]
    assert read == [made.text for made in answer(model, processor, chats)]
