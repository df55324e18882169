"""Questions about pictures for any image-text-to-text model of transformers, in batches."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy, pad

from minigpt4.inference.answering import answer_batch
from minigpt4.inference.reading import prompt_ids
from minigpt4.inference.turns import Answer, user_turn


if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers import PreTrainedModel, ProcessorMixin


# The label of a position without loss.
IGNORED = -100


class Asker:
    """
    Puts questions with one picture each to a model, whichever it is.

    The model's own chat template words them; a model without one reads the text as it is, after the mark for a picture where
    its processor wants that written. A MiniGPT-4 looks at each picture once, whatever the number of questions about it.

    Args:
        model (`PreTrainedModel`): an image-text-to-text model, as `AutoModelForImageTextToText` loads it.
        processor (`ProcessorMixin`): the model's.
        look_once (`bool`, defaults to `True`):
            Keep what the vision towers make of a picture, until `forget`. Not for models in
            pieces on several devices, whose towers run within the model only.

    Attributes:
        plain (`bool`): Whether the model has no chat template.
        identifiers (`tuple[str, ...]`): Task identifiers that the model knows.
    """

    def __init__(self, model: "PreTrainedModel", processor: "ProcessorMixin", look_once: bool = True) -> None:
        self.model, self.processor = model, processor
        self.plain = not (getattr(processor, "chat_template", None) or processor.tokenizer.chat_template)
        self.identifiers = tuple(getattr(processor, "task_identifiers", ()))
        self._has_encoder = bool(model.config.get_text_config().is_encoder_decoder)
        # What answers from the left is padded there; an encoder reads from the left, too.
        self._side = "right" if self._has_encoder else "left"
        self._mark = self._picture_mark() if self.plain else ""
        network = model.get_base_model() if hasattr(model, "get_base_model") else model
        towers = getattr(getattr(network, "model", None), "get_vision_features", None)
        self._look = towers if look_once and not self.plain else None
        self._seen: dict[int, tuple[Image, torch.Tensor]] = {}

    def answers(self, texts: Sequence[str], pictures: "Sequence[Image]", **settings: Any) -> list[Answer]:
        """
        Answers to texts, each about the picture at its place.

        Args:
            settings: of `generate`, in place of the checkpoint's.

        Raises:
            ContextLimitError: one of them is longer than what the model can read.
        """
        return answer_batch(self.model, self.processor, self._inputs(texts, pictures), **settings)

    @torch.no_grad()
    def losses(
        self, texts: Sequence[str], pictures: "Sequence[Image]", candidates: Sequence[Sequence[str]], end: bool = True
    ) -> tuple[list[list[list[float]]], list[int]]:
        """
        How little the model expects each candidate as the answer.

        Args:
            candidates (`Sequence[Sequence[str]]`): for each text, the answers to choose from.
            end (`bool`, defaults to `True`): whether the end token belongs to them.

        Returns:
            For each text and candidate the loss of each of its tokens; and the length of each prompt in tokens.
        """
        inputs = self._inputs(texts, pictures)
        lengths = inputs["attention_mask"].sum(1).tolist()
        losses: list[list[list[float]]] = [[] for _ in texts]
        for column in range(max(map(len, candidates))):
            rows = [index for index, choices in enumerate(candidates) if column < len(choices)]
            ids = [self._candidate(candidates[index][column], end) for index in rows]
            part = {name: value[rows] for name, value in inputs.items()}
            for index, made in zip(rows, self._token_losses(part, ids), strict=True):
                losses[index].append(made)
        return losses, lengths

    def answer_length(self, text: str) -> int:
        """How many tokens `text` has as an answer, with the end token."""
        return len(self._candidate(text, end=True))

    def forget(self) -> None:
        """Forget all pictures."""
        self._seen.clear()

    def _candidate(self, text: str, end: bool) -> list[int]:
        tokenizer = self.processor.tokenizer
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        return [*ids, tokenizer.eos_token_id] if end and tokenizer.eos_token_id is not None else ids

    def _token_losses(self, inputs: dict[str, torch.Tensor], candidates: list[list[int]]) -> Iterator[list[float]]:
        longest = max(map(len, candidates))
        labels = torch.full((len(candidates), longest), IGNORED)
        for row, ids in zip(labels, candidates, strict=True):
            row[: len(ids)] = torch.tensor(ids)
        labels = labels.to(self.model.device)
        if self._has_encoder:
            logits = self.model(**inputs, labels=labels).logits
        else:
            logits = self.model(**self._followed(inputs, labels)).logits[:, -longest - 1 : -1]
        losses = cross_entropy(logits.float().transpose(1, 2), labels, reduction="none", ignore_index=IGNORED)
        for row, ids in zip(losses.tolist(), candidates, strict=True):
            yield row[: len(ids)]

    def _followed(self, inputs: dict[str, torch.Tensor], labels: torch.Tensor) -> dict[str, Any]:
        """The prompts with the answers behind them."""
        shape, width = inputs["input_ids"].shape, labels.shape[1]
        followed: dict[str, Any] = {
            name: pad(value, (0, width)) if value.shape == shape else value for name, value in inputs.items()
        }
        filler = self.processor.tokenizer.pad_token_id or 0
        followed["input_ids"][:, -width:] = labels.where(labels != IGNORED, filler)
        followed["attention_mask"][:, -width:] = labels != IGNORED
        if "logits_to_keep" in inspect.signature(self.model.forward).parameters:
            followed["logits_to_keep"] = width + 1
        return followed

    def _inputs(self, texts: Sequence[str], pictures: "Sequence[Image]") -> dict[str, torch.Tensor]:
        if self._look is not None:
            chats = [[user_turn(text, picture)] for text, picture in zip(texts, pictures, strict=True)]
            ids = [prompt_ids(self.processor, chat, pictures=1) for chat in chats]
            inputs = self.processor.tokenizer.pad({"input_ids": ids}, padding_side=self._side, return_tensors="pt")
            return {**inputs.to(self.model.device), "vision_features": self._features(pictures)}
        how = {"padding": True, "padding_side": self._side, "return_tensors": "pt"}
        if self.plain:
            marked = [f"{self._mark}{text}" for text in texts]
            made = self.processor(images=list(pictures), text=marked, **how)
        else:
            chats = [[user_turn(text, picture)] for text, picture in zip(texts, pictures, strict=True)]
            made = self.processor.apply_chat_template(
                chats, add_generation_prompt=True, tokenize=True, return_dict=True, processor_kwargs=how
            )
        return dict(made.to(self.model.device, self.model.dtype))

    def _features(self, pictures: "Sequence[Image]") -> torch.Tensor:
        """What the towers make of each picture; of new ones only, they are asked."""
        assert self._look is not None
        new = list({id(picture): picture for picture in pictures if id(picture) not in self._seen}.values())
        if new:
            pixels = self.processor(images=new, return_tensors="pt")["pixel_values"]
            with torch.no_grad():
                features = self._look(pixels.to(self.model.device, self.model.dtype)).pooler_output
            # With the picture, so that no other gets its number meanwhile.
            self._seen |= {id(picture): (picture, made) for picture, made in zip(new, features, strict=True)}
        return torch.stack([self._seen[id(picture)][1] for picture in pictures])

    def _picture_mark(self) -> str:
        """What must be written in front of a text for its picture: nothing, where the processor puts it there by itself."""
        from PIL import Image

        blank, token = Image.new("RGB", (64, 64)), str(getattr(self.processor, "image_token", "") or "")
        wanted = getattr(self.model.config, "image_token_id", None)
        for mark in ("", token):
            try:
                made: Mapping = self.processor(images=[blank], text=[f"{mark}?"])
            except ValueError:
                continue
            if not token or wanted is None or wanted in list(made["input_ids"][0]):
                return mark
        raise ValueError(
            f"{type(self.processor).__name__} has no chat template, and no mark for a picture that it reads"
        )
