"""From rows of pictures and texts to the published training sequences."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from transformers import BatchFeature, ProcessorMixin
from transformers.utils.chat_template_utils import render_jinja_template
from trl.data_utils import prepare_multimodal_messages

from minigpt4.training.arguments import SequenceArguments
from minigpt4.training.row import Row, row_images, row_name

from .answer_ends import AnswerEnds
from .templates import trained_form, training_template


IGNORED = -100


class FeatureSource(Protocol):
    """What has the features of images ready, as `FeatureCache` does."""

    def read(self, images: Sequence) -> torch.Tensor: ...


@dataclass(frozen=True)
class Segment:
    """A stretch of text that is tokenized on its own, and whether it is learned."""

    text: str
    learned: bool


class SequenceCollator:
    """
    Makes batches of the published training sequences, with loss on the answers and their ends only.

    Prompts and answers are tokenized apart, as the original does, so that an answer starts with `▁The` whatever the
    prompt ends in. Padding is on the right. Rows with no image, one and several may stand in one batch.

    The prompt of a batch depends on `seed` and on the epoch and number of its first row, as
    [`minigpt4.training.data.rows.NumberedRows`] adds them, and on nothing else: a resumed run draws as if it had never
    stopped. Without numbers it is drawn with torch's global generator.

    Args:
        processor (`MiniGPT4Processor`): makes ids of texts and pixels of images.
        arguments (`SequenceArguments`): the form of the sequence.
        seed (`int`, *optional*, defaults to 0): decides which prompt a batch gets.
        features (`FeatureCache`, *optional*): what the projection reads, in place of pixels.

    Returns (when called with a list of rows, each with an `image` and its `text`, or with `images` and `messages`):
        `BatchFeature`: `input_ids`, `attention_mask`, `labels` and `logits_to_keep` (the positions in front of labels:
        no others get logits) of shape `(batch_size, sequence_length)`, `pixel_values` of shape
        `(num_images, 3, height, width)` or `vision_features` where there are images, and `rows` of shape `(batch_size,)`
        where the rows have numbers.

    Raises:
        ValueError: `answer_end` is another model's end token; or a row has no image or no text, an image would be cut, or
            a row has nothing to learn.
    """

    def __init__(
        self,
        processor: ProcessorMixin,
        arguments: SequenceArguments,
        seed: int = 0,
        features: FeatureSource | None = None,
    ):
        self.processor = processor
        self.features = features
        self.arguments = arguments
        self.seed = seed
        self.ends = AnswerEnds(processor)
        self.answer_end = self.ends.choose(arguments.answer_end)
        self.template = (
            training_template(arguments.training_template)
            if arguments.training_template
            else trained_form(processor.chat_template)
        )

    def __call__(self, rows: Sequence[Row]) -> BatchFeature:
        prompt = self._draw_prompt(rows)
        sequences, labels, images = [], [], []
        for row in rows:
            ids, targets, _ = self._tokenize(row, self.segments(row, prompt))
            sequences.append(ids)
            labels.append(targets)
            images += row_images(row)
        # Trainer takes the length of what comes first for the number of rows.
        batch = {"rows": torch.tensor([row["row"] for row in rows])} if all("row" in row for row in rows) else {}
        batch = BatchFeature({**batch, **self.lay_out(sequences, labels)})
        if images and self.features is not None:
            batch["vision_features"] = self.features.read(images)
        elif images:
            image_processor = self.processor.image_processor
            batch["pixel_values"] = image_processor(image_processor.fetch_images(images), return_tensors="pt")[
                "pixel_values"
            ]
        return batch

    def lay_out(self, sequences: list[list[int]], labels: list[list[int]]) -> dict:
        """Sequences and their labels as tensors: here one row each, with padding."""
        batch = self.processor.tokenizer.pad({"input_ids": sequences}, padding_side="right", return_tensors="pt")
        width = batch["input_ids"].shape[1]
        padded = torch.tensor([target + [IGNORED] * (width - len(target)) for target in labels])
        padded[:, 0] = IGNORED  # nothing comes before it that could predict it
        return {
            "input_ids": batch["input_ids"],
            "attention_mask": batch["attention_mask"],
            "labels": padded,
            "logits_to_keep": (padded != IGNORED).roll(-1, dims=-1),
        }

    def segments(self, row: Row, prompt: str | None = None) -> list[Segment]:
        """The row as text in stretches, with one placeholder for each image; `prompt`, or instruction, defaults to the first."""
        if row.get("messages"):
            return self._chat_segments(row)
        if row.get("image") is None or not isinstance(row.get("text"), str) or not row["text"]:
            shown = ", ".join(f"{name} {value!r:.80}" for name, value in row.items() if name not in ("row", "epoch"))
            raise ValueError(
                f"Each row needs an 'image' and a non-empty 'text' (a string), but {row_name(row).lower()} has {shown}."
            )
        if self.arguments.instructions:
            return self._chat_segments(_as_chat(row, self.arguments.instructions[0] if prompt is None else prompt))
        start = (self.processor.tokenizer.bos_token or "") + (prompt or self.arguments.prompts[0])
        return [Segment(start, False), Segment(row["text"] + self.answer_end, True)]

    def _chat_segments(self, row: Row) -> list[Segment]:
        try:
            messages = prepare_multimodal_messages(row["messages"], images=row_images(row) or None)
            [text], [spans] = render_jinja_template(
                [messages],
                chat_template=self.template,
                return_assistant_tokens_mask=True,
                **self.processor.tokenizer.special_tokens_map,
            )
        except Exception as error:  # messages of strangers: whatever shape they have
            raise ValueError(
                f"{row_name(row)} has messages {row['messages']!r:.200} that are not a chat: {error}"
            ) from error
        segments, end = [], 0
        for start, stop in spans:
            segments += [Segment(text[end:start], False), Segment(text[start:stop], True)]
            end = stop
        return [segment for segment in (*segments, Segment(text[end:], False)) if segment.text]

    def _tokenize(self, row: Row, segments: Sequence[Segment]) -> tuple[list[int], list[int], int]:
        """The ids and labels of a row, and how many tokens were cut off. What is learned first ends the context."""
        processor, which = self.processor, row_name(row)
        first = next((place for place, segment in enumerate(segments) if segment.learned), len(segments))
        (context, _), (rest, labels) = self._encode(segments[:first]), self._encode(segments[first:])
        placeholders, given = (context + rest).count(processor.image_token_id), len(row_images(row))
        if placeholders != given * processor.num_image_tokens:
            raise ValueError(
                f"{which} has {given} images, but {placeholders // processor.num_image_tokens} {processor.image_token} "
                "in its text: write one for each image."
            )
        if all(label == IGNORED for label in labels):
            raise ValueError(
                f"{which} has nothing to learn: all of its {len(context + rest)} labels are masked, as there is no "
                f"assistant message that is learned. Its text starts {segments[0].text[:80]!r}."
            )
        answers = "max_length" if row.get("messages") else "max_answer_tokens"
        start = context[:1] == [processor.tokenizer.bos_token_id]  # not counted, as published
        kept = self._keep(context, "max_context_length", which, start), self._keep(rest, answers, which)
        ids = context[: kept[0]] + rest[: kept[1]]
        return ids, [IGNORED] * kept[0] + labels[: kept[1]], len(context + rest) - len(ids)

    def _encode(self, segments: Sequence[Segment]) -> tuple[list[int], list[int]]:
        """The ids and labels of segments, each tokenized on its own."""
        processor = self.processor
        image = processor.image_token * processor.num_image_tokens
        ids: list[int] = []
        labels: list[int] = []
        for segment in segments:
            text = segment.text.replace(processor.image_token, image)
            if segment.learned:
                piece = self.ends.encode(text)
            else:
                piece = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
            ids += piece
            labels += [token if segment.learned and token != processor.image_token_id else IGNORED for token in piece]
        return ids, labels

    def _keep(self, ids: list[int], name: str, which: str, uncounted: int = 0) -> int:
        """How many of `ids` the limit of this name keeps."""
        limit = getattr(self.arguments, name)
        if self.processor.image_token_id in ids[limit + uncounted :]:
            part = "in" if name == "max_context_length" else "after"
            raise ValueError(
                f"{which} has {len(ids)} tokens {part} its first prompt, and {name} {limit} would cut an image: raise "
                f"{name} or shorten the text before the image."
            )
        return min(len(ids), limit + uncounted)

    def count_cut(self, row: Row) -> int:
        """How many tokens of a row are cut off, at `max_context_length`, `max_answer_tokens` or `max_length`."""
        return self._tokenize(row, self.segments(row))[2]

    def _draw_prompt(self, rows: Sequence[Row]) -> str:
        prompts = self.arguments.instructions or self.arguments.prompts
        if "row" in rows[0]:
            return random.Random(f"{self.seed} {rows[0]['epoch']} {rows[0]['row']}").choice(prompts)
        return prompts[int(torch.randint(len(prompts), ()))]


def _as_chat(row: Row, instruction: str) -> Row:
    """A row with an image and its text as a question about the image and the answer."""
    question = [{"type": "image"}, *([{"type": "text", "text": instruction}] if instruction else [])]
    answer = [{"type": "text", "text": row["text"]}]
    return {**row, "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}
