"""Prompts of a conversation, answered without reading again what the model has read before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, takewhile
from threading import Event
from typing import TYPE_CHECKING, Any

import torch

from minigpt4.inference.answering import answer_batch, check_length, context_limit
from minigpt4.inference.prompt_cache import PromptCache, may_be_shared
from minigpt4.inference.turns import Answer, Turn, user_turn


if TYPE_CHECKING:
    from PIL.Image import Image

    from minigpt4.inference.engine import Engine
    from minigpt4.inference.streaming import AnswerStreamer
    from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
    from minigpt4.processing import MiniGPT4Processor


# Positions that are read ahead at once, before checking whether a message waits.
STEP = 64


@dataclass(frozen=True)
class Prompt:
    ids: list[int]
    pictures: "list[Image]"


def prompt_ids(processor: "MiniGPT4Processor", messages: list[dict], pictures: int, **settings: Any) -> list[int]:
    """
    Ids of a chat, as the processor makes them, without reading the pictures.

    Args:
        messages (`list[dict]`): as for `apply_chat_template`.
        pictures (`int`): number of pictures in the messages.
        settings: of the chat template.

    Raises:
        ValueError: the text contains image placeholders of its own.
        jinja2.TemplateError: the chat template refuses a message.
    """
    text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, **settings)
    return text_ids(processor, text, pictures)


def text_ids(processor: "MiniGPT4Processor", text: str, pictures: int) -> list[int]:
    """
    Ids of a whole prompt, as the processor makes them, without reading the pictures.

    Args:
        text (`str`): with a placeholder for each picture.
        pictures (`int`): number of pictures.

    Raises:
        ValueError: the text contains other image placeholders.
    """
    if (placeholders := text.count(processor.image_token)) != pictures:
        raise ValueError(
            f"the conversation contains {placeholders} {processor.image_token} but {pictures} pictures: "
            f"{processor.image_token} is reserved for pictures, remove it from the text"
        )
    replacements = [processor.replace_image_token({}, index) for index in range(pictures)]
    [text], _ = processor.get_text_with_replacements([text], replacements)
    begun = processor.tokenizer.bos_token is not None and text.startswith(processor.tokenizer.bos_token)
    return processor.tokenizer(text, add_special_tokens=not begun)["input_ids"]


@dataclass(frozen=True)
class _Encoded:
    """A picture and its features, under a number that is not a token id and is never reused."""

    picture: "Image"
    number: int
    features: torch.Tensor


class Reader:
    """
    Answers prompts that share a beginning: keys and values of what was read, and features of pictures, are kept.

    Args:
        model (`MiniGPT4ForConditionalGeneration`), processor (`MiniGPT4Processor`):
            As `minigpt4.checkpoints.loading.load` returns them.
        engine (`Engine`, *optional*): of the model, where other threads use it, too.
    """

    def __init__(
        self,
        model: "MiniGPT4ForConditionalGeneration",
        processor: "MiniGPT4Processor",
        engine: "Engine | None" = None,
    ) -> None:
        self.model = model
        self.processor = processor
        self.engine = engine
        self.limit = context_limit(model)
        self._cache = PromptCache(model.config.get_text_config())
        self._encoded: dict[int, _Encoded] = {}
        self._numbers = count(-1, -1)

    def fit(
        self, turns: Sequence[Turn], forgotten: int, text: str, pictures: "Sequence[Image]", settings: dict
    ) -> tuple[Prompt, int]:
        """
        The prompt for `text`, without the oldest turns where they would leave no room for an answer.

        The pictures of turns that are left out go before the first turn that is not. At most a quarter of the model's
        context is kept free for the answer.

        Args:
            turns (`Sequence[Turn]`): the turns before; the first `forgotten` of them are always left out.
            settings (`dict`): of `generate`, in place of the checkpoint's.

        Returns:
            The prompt, and the number of turns left out.

        Raises:
            ContextLimitError: the last text with all pictures is longer than what the model can read.
        """
        room = 0
        if self.limit is not None:
            longest = settings.get("max_new_tokens") or self.model.generation_config.max_new_tokens or 0
            room = min(longest, self.limit // 4)
        for start in range(min(forgotten, len(turns)), len(turns) + 1):
            prompt = self._prompt(turns, start, text, pictures)
            if self.limit is None or len(prompt.ids) + room <= self.limit:
                return prompt, start
        check_length(len(prompt.ids), self.limit)
        return prompt, len(turns)

    def _prompt(self, turns: Sequence[Turn], start: int, text: str, pictures: "Sequence[Image]") -> Prompt:
        shown = [picture for turn in turns[:start] for picture in turn.pictures]
        messages = []
        all_pictures = list(shown)
        for message, new, answer in [
            *((t.text, t.pictures, t.answer) for t in turns[start:]),
            (text, pictures, None),
        ]:
            messages.append(user_turn(message, *shown, *new))
            all_pictures += new
            shown = []
            if answer is not None:
                messages.append({"role": "assistant", "content": [{"type": "text", "text": answer.text}]})
        return Prompt(prompt_ids(self.processor, messages, len(all_pictures)), all_pictures)

    @torch.no_grad()
    def answer(
        self, prompt: Prompt, streamer: "AnswerStreamer | None", stopping: Event | None, settings: dict[str, Any]
    ) -> Answer:
        """
        Answer a prompt.

        Args:
            streamer (`AnswerStreamer`), stopping (`Event`): as for [`answer_batch`].
            settings (`dict[str, Any]`): of `generate`, in place of the checkpoint's.
        """
        inputs = {"input_ids": torch.tensor([prompt.ids], device=self.model.device)}
        if encoded := self._encode(prompt.pictures):
            inputs["vision_features"] = torch.stack([one.features for one in encoded])
        positions = self._positions(prompt.ids, encoded)
        config, others = self.model._prepare_generation_config(**{"generation_config": None, **settings})
        shared = may_be_shared(config, others.get("assistant_model"))
        cache = self._cache.take(positions) if shared else None
        settings = {**settings, "past_key_values": cache}
        [answer] = answer_batch(
            self.model,
            self.processor,
            inputs,
            streamer=streamer,
            stopping=stopping,
            engine=self.engine,
            **settings,
        )
        if cache is not None:
            self._cache.keep([*positions, *answer.ids], cache)
        return answer

    @torch.no_grad()
    def read_ahead(self, turns: Sequence[Turn], forgotten: int, stopping: Event) -> None:
        """
        Read what every prompt after `turns` begins with.

        The chat template tokenizes the last answer again, mostly into other tokens than were generated. Read ahead, it
        costs the next turn nothing.

        Args:
            turns (`Sequence[Turn]`), forgotten (`int`): as for `fit`.
            stopping (`Event`): ends the reading when set; what was read until then is kept.
        """
        prompt, other = (self._prompt(turns, forgotten, text, ()) for text in ("", "?"))
        ids = [
            token for token, _ in takewhile(lambda pair: pair[0] == pair[1], zip(prompt.ids, other.ids, strict=False))
        ]
        positions = self._positions(ids, self._encode(prompt.pictures))
        cache = self._cache.take([*positions, 0])  # all of them: the last one is left to be read
        for start in range(cache.get_seq_length(), len(ids), STEP):
            part = ids[start : start + STEP]
            if stopping.is_set() or self.processor.image_token_id in part or len(ids) > (self.limit or len(ids)):
                break
            ids_now = torch.tensor([part], device=self.model.device)
            self._run(
                lambda ids=ids_now: self.model.model(input_ids=ids, past_key_values=cache, use_cache=True)  # type: ignore[misc]
            )
        self._cache.keep(positions, cache)

    def _encode(self, pictures: "Sequence[Image]") -> list[_Encoded]:
        """Features of the pictures; known ones are reused, those no longer shown are dropped."""
        known = {}
        for picture in pictures:
            equal = (one for one in self._encoded.values() if one.picture == picture)
            if (one := self._encoded.get(id(picture)) or next(equal, None)) is not None:
                known[id(picture)] = replace(one, picture=picture)
        new = list({id(picture): picture for picture in pictures if id(picture) not in known}.values())
        if new:
            pixels = self.processor(images=new, return_tensors="pt")["pixel_values"]
            pixels = pixels.to(self.model.device, self.model.dtype)
            features = self._run(partial(self.model.model.get_vision_features, pixels)).pooler_output
            for picture, made in zip(new, features, strict=True):
                known[id(picture)] = _Encoded(picture, next(self._numbers), made)
        self._encoded = known
        return [known[id(picture)] for picture in pictures]

    def _run(self, work: Callable[[], Any]) -> Any:
        return work() if self.engine is None else self.engine.run(work)

    def _positions(self, ids: list[int], encoded: list[_Encoded]) -> list[int]:
        """A number for each position: the token's id, or that of the picture at this position."""
        size = self.processor.num_image_tokens
        numbers = iter([one.number for one in encoded for _ in range(size)])
        return [next(numbers) if token == self.processor.image_token_id else token for token in ids]
