"""From rows of pictures and texts to the published training sequences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from transformers import BatchFeature, ProcessorMixin


IGNORED = -100


@dataclass
class SequenceArguments:
    """
    The training sequence: `<s>`, a prompt around the image, an answer and its end.

    Args:
        prompts (`list[str]`, *optional*, defaults to `["<ImageHere>"]`):
            Prompts with an image placeholder; one is drawn for each batch. Stage 1 has the bare image.
        answer_end (`str`, *optional*, defaults to a line break):
            What ends an answer: a line break in stage 1, `###` or `</s>` later.
        max_answer_tokens (`int`, *optional*, defaults to 32):
            Answers, with their end, are cut at so many tokens: 32 in stage 1, 160 in stage 2.
    """

    prompts: list[str] = field(default_factory=lambda: ["<ImageHere>"])
    answer_end: str = "\n"
    max_answer_tokens: int = 32


class SequenceCollator:
    """
    Makes batches of the published training sequences, with loss on the answer and its end only.

    Prompt and answer are tokenized apart, as the original does, so that an answer starts with `▁The` whatever the prompt
    ends in. The prompt of a batch is drawn with torch's global random generator. Padding is on the right.

    Args:
        processor (`MiniGPT4Processor`): makes ids of texts and pixels of images.
        arguments (`SequenceArguments`): the form of the sequence.

    Returns (when called with a list of rows, each with an `image` and its `text`):
        `BatchFeature`: `input_ids`, `attention_mask` and `labels` of shape `(batch_size, sequence_length)`, and
        `pixel_values` of shape `(batch_size, 3, height, width)`.

    Raises:
        `ValueError`: if a row has no image or no text, or the text is empty.
    """

    def __init__(self, processor: ProcessorMixin, arguments: SequenceArguments):
        self.processor = processor
        self.arguments = arguments

    def __call__(self, rows: Sequence[Mapping]) -> BatchFeature:
        for row in rows:
            if row.get("image") is None or not row.get("text"):
                raise ValueError(
                    f"Each row needs an 'image' and a 'text' that is not empty, but one has {dict(row)!r}."
                )
        tokenizer = self.processor.tokenizer
        prompt = self.arguments.prompts[int(torch.randint(len(self.arguments.prompts), ()))]
        inputs = self.processor(images=[row["image"] for row in rows], text=[prompt] * len(rows), return_tensors="pt")
        prompt_ids = inputs["input_ids"][0].tolist()
        answers = [
            tokenizer(row["text"] + self.arguments.answer_end, add_special_tokens=False)["input_ids"][
                : self.arguments.max_answer_tokens
            ]
            for row in rows
        ]
        batch = tokenizer.pad(
            {"input_ids": [prompt_ids + answer for answer in answers]}, padding_side="right", return_tensors="pt"
        )
        labels = torch.full_like(batch["input_ids"], IGNORED)
        for label, answer in zip(labels, answers, strict=True):
            label[len(prompt_ids) : len(prompt_ids) + len(answer)] = torch.tensor(answer)
        return BatchFeature(
            {
                "input_ids": batch["input_ids"],
                "attention_mask": batch["attention_mask"],
                "labels": labels,
                "pixel_values": inputs["pixel_values"],
            }
        )
