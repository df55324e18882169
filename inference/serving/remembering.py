"""The model of a server: each request of a chat begins like the one before, and several are answered together."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import torch

from minigpt4.checkpoints.own_thread import in_own_thread
from minigpt4.checkpoints.precision import read_suited
from minigpt4.inference.answering import Stop
from minigpt4.inference.engine import Engine
from minigpt4.inference.prompt_cache import MOST_KEPT, PromptCache, may_be_shared
from minigpt4.inference.serving.client import GONE, SEED
from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration


# Number of a prompt's last tokens that may change when an answer follows: `: ` and `The` become `:` and ` The`.
UNSETTLED = 2


@dataclass
class _Chat:
    cache: PromptCache
    prompt_length: int = 0
    """Of the last request."""


class RememberingMiniGPT4(MiniGPT4ForConditionalGeneration):
    """
    Keeps what it has read for the next prompt with the same beginning, pictures included.

    A request contains the whole chat, so it continues the chat whose last prompt it repeats. If it begins like one and then
    differs, as another question about the same picture does, it gets a copy of what they share. The answers are those of
    [`MiniGPT4ForConditionalGeneration`].
    """

    def __init__(self, config):
        super().__init__(config)
        self._chats: list[_Chat] = []
        self._choosing = Lock()

    @cached_property
    def _engine(self) -> Engine:
        return Engine(self, super().generate)

    @classmethod
    def from_pretrained(cls, *args, dtype="auto", **kwargs):
        """See [`~transformers.PreTrainedModel.from_pretrained`]. `"auto"` is never float16 on a CPU."""
        read = super().from_pretrained
        return in_own_thread(
            read_suited, lambda precision: read(*args, dtype=precision, **kwargs), dtype, lambda model: model
        )

    def generate(self, inputs: torch.Tensor | None = None, generation_config=None, **kwargs):
        """See [`MiniGPT4ForConditionalGeneration`] and [`Engine.submit`]; several threads may call it. The cache is for single
        prompts."""
        generate = self._engine.generate
        kwargs.setdefault("seed", SEED.get())
        if (gone := GONE.get()) is not None:
            kwargs["stopping_criteria"] = [*(kwargs.get("stopping_criteria") or []), Stop(gone)]
        prompt = kwargs.get("input_ids")
        if prompt is None or len(prompt) > 1 or inputs is not None or "past_key_values" in kwargs:
            return generate(inputs, generation_config, **kwargs)
        given = {name: value for name, value in kwargs.items() if name != "seed"}
        config, others = self._prepare_generation_config(generation_config, **given)
        if not may_be_shared(config, others.get("assistant_model")):
            return generate(inputs, generation_config, **kwargs)
        positions = self._positions(prompt[0].tolist(), kwargs.get("pixel_values"))
        with self._choosing:
            chat = self._chat(positions)
            cache = chat.cache.take(positions)
        rows = generate(inputs, generation_config, past_key_values=cache, **kwargs)
        sequence = rows if isinstance(rows, torch.Tensor) else rows.sequences
        if len(sequence) == 1:
            with self._choosing:
                chat.prompt_length = len(positions)
                chat.cache.keep([*positions, *sequence[0, len(positions) :].tolist()], cache)
        return rows

    def _chat(self, positions: list[int]) -> _Chat:
        """The chat that a prompt continues, or a new one in place of the least recently used."""
        chat = max(self._chats, key=lambda each: each.cache.shared(positions), default=None)
        if chat is None or not (shared := chat.cache.shared(positions)):
            chat = _Chat(PromptCache(self.config.get_text_config()))
        elif shared < min(chat.prompt_length, len(positions) - 1) - UNSETTLED:
            chat = _Chat(chat.cache.copy())
        others = (each for each in self._chats if each is not chat)
        self._chats = [*others, chat][-MOST_KEPT:]
        return chat

    def _positions(self, ids: list[int], pixel_values: torch.Tensor | None) -> list[int]:
        """A number for each position: the token's id, or one that identifies its picture."""
        numbers = []
        for picture in () if pixel_values is None else pixel_values.cpu().float():
            digest = hashlib.sha256(picture.numpy().tobytes()).digest()
            numbers += [-1 - int.from_bytes(digest[:8])] * self.config.num_image_tokens
        each = iter(numbers)
        return [next(each, token) if token == self.config.image_token_id else token for token in ids]
