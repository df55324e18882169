"""What the model reads of a conversation, and what it needs not read again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count, takewhile
from threading import Event
from typing import TYPE_CHECKING, Any

import torch

from minigpt4.inference.answering import answer_batch, check_length, context_limit
from minigpt4.inference.prompt_cache import PromptCache, may_be_shared
from minigpt4.inference.turns import Answer, Turn, user_turn


if TYPE_CHECKING:
    from PIL.Image import Image

    from minigpt4.inference.streaming import AnswerStreamer
    from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
    from minigpt4.processing import MiniGPT4Processor


# So many positions are read ahead before a look at whether somebody waits.
STEP = 64


@dataclass(frozen=True)
class Prompt:
    ids: list[int]
    pictures: "list[Image]"


def prompt_ids(processor: "MiniGPT4Processor", messages: list[dict], pictures: int, **settings: Any) -> list[int]:
    """Ids of a chat, as the processor makes them, without a look at the pictures.

    Args:
        messages: As for `apply_chat_template`.
        pictures: How many there are in the messages.
        settings: Of the chat template.

    Raises:
        ValueError: The text holds placeholders of its own.
        jinja2.TemplateError: The chat template refuses a message.
    """
    text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, **settings)
    if (placeholders := text.count(processor.image_token)) != pictures:
        raise ValueError(
            f"the conversation holds {placeholders} {processor.image_token} and {pictures} pictures: "
            "the word stands for a picture, leave it out"
        )
    replacements = [processor.replace_image_token({}, index) for index in range(pictures)]
    [text], _ = processor.get_text_with_replacements([text], replacements)
    begun = processor.tokenizer.bos_token is not None and text.startswith(processor.tokenizer.bos_token)
    return processor.tokenizer(text, add_special_tokens=not begun)["input_ids"]


@dataclass(frozen=True)
class _Look:
    """What the vision tower made of a picture, under a number that is no token's id and is never given again."""

    picture: "Image"
    number: int
    features: torch.Tensor


class Reader:
    """Answers prompts that mostly begin alike: the keys and values of what was read and the features of the pictures are kept.

    Args:
        model, processor: As `minigpt4.checkpoints.loading.load` gives them.
    """

    def __init__(self, model: "MiniGPT4ForConditionalGeneration", processor: "MiniGPT4Processor") -> None:
        self.model = model
        self.processor = processor
        self.limit = context_limit(model)
        self._cache = PromptCache(model.config.get_text_config())
        self._looks: dict[int, _Look] = {}
        self._numbers = count(-1, -1)

    def fit(
        self, turns: Sequence[Turn], forgotten: int, text: str, pictures: "Sequence[Image]", settings: dict
    ) -> tuple[Prompt, int]:
        """The prompt for `text`, without as many of the oldest turns as leaves room for an answer.

        The pictures of turns that are left out stand before the first turn that is not. An answer may claim a quarter of
        what the model reads.

        Args:
            turns: What was said before; the first `forgotten` of them are left out at any rate.
            settings: Of `generate`; with the longest answer, where it is not the checkpoint's.

        Returns:
            The prompt, and how many turns are left out.

        Raises:
            ContextLimitError: The last text with all pictures is longer than what the model can read.
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
        every = list(shown)
        for said, with_it, answer in [
            *((t.text, t.pictures, t.answer) for t in turns[start:]),
            (text, pictures, None),
        ]:
            messages.append(user_turn(said, *shown, *with_it))
            every += with_it
            shown = []
            if answer is not None:
                messages.append({"role": "assistant", "content": [{"type": "text", "text": answer.text}]})
        return Prompt(prompt_ids(self.processor, messages, len(every)), every)

    @torch.no_grad()
    def answer(self, prompt: Prompt, streamer: "AnswerStreamer", stopping: Event, settings: dict[str, Any]) -> Answer:
        """Answer a prompt.

        Args:
            streamer, stopping: As for [`answer_batch`].
            settings: Of `generate`, in place of the checkpoint's.
        """
        inputs = {"input_ids": torch.tensor([prompt.ids], device=self.model.device)}
        if looks := self._look(prompt.pictures):
            inputs["vision_features"] = torch.stack([look.features for look in looks])
        positions = self._positions(prompt.ids, looks)
        config, others = self.model._prepare_generation_config(**{"generation_config": None, **settings})
        shared = may_be_shared(config, others.get("assistant_model"))
        cache = self._cache.take(positions) if shared else None
        settings = {**settings, "past_key_values": cache}
        [answer] = answer_batch(self.model, self.processor, inputs, streamer=streamer, stopping=stopping, **settings)
        if cache is not None:
            self._cache.keep([*positions, *answer.ids], cache)
        return answer

    @torch.no_grad()
    def read_ahead(self, turns: Sequence[Turn], forgotten: int, stopping: Event) -> None:
        """Read what every prompt after `turns` begins with.

        The form of the chat tokenizes the last answer anew, mostly in other tokens than were generated. Read before it is
        asked for, it costs the next turn nothing.

        Args:
            turns, forgotten: As for `fit`.
            stopping: Ends the reading when it is set; what was read until then is kept.
        """
        prompt, other = (self._prompt(turns, forgotten, text, ()) for text in ("", "?"))
        ids = [
            token for token, _ in takewhile(lambda pair: pair[0] == pair[1], zip(prompt.ids, other.ids, strict=False))
        ]
        positions = self._positions(ids, self._look(prompt.pictures))
        cache = self._cache.take([*positions, 0])  # all of them: the last one is left to be read
        for start in range(cache.get_seq_length(), len(ids), STEP):
            part = ids[start : start + STEP]
            if stopping.is_set() or self.processor.image_token_id in part or len(ids) > (self.limit or len(ids)):
                break
            self.model.model(
                input_ids=torch.tensor([part], device=self.model.device), past_key_values=cache, use_cache=True
            )
        self._cache.keep(positions, cache)

    def _look(self, pictures: "Sequence[Image]") -> list[_Look]:
        """Features of the pictures; what was looked at before is looked up, what is no longer shown is dropped."""
        known = {}
        for picture in pictures:
            equal = (look for look in self._looks.values() if look.picture == picture)
            if (look := self._looks.get(id(picture)) or next(equal, None)) is not None:
                known[id(picture)] = replace(look, picture=picture)
        new = list({id(picture): picture for picture in pictures if id(picture) not in known}.values())
        if new:
            pixels = self.processor(images=new, return_tensors="pt")["pixel_values"]
            pixels = pixels.to(self.model.device, self.model.dtype)
            features = self.model.model.get_vision_features(pixels).pooler_output
            for picture, made in zip(new, features, strict=True):
                known[id(picture)] = _Look(picture, next(self._numbers), made)
        self._looks = known
        return [known[id(picture)] for picture in pictures]

    def _positions(self, ids: list[int], looks: list[_Look]) -> list[int]:
        """A number for each position: the token's id, or that of the picture that stands there."""
        size = self.processor.num_image_tokens
        numbers = iter([look.number for look in looks for _ in range(size)])
        return [next(numbers) if token == self.processor.image_token_id else token for token in ids]
