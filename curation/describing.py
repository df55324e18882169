"""The model that describes pictures: one answer about each of a batch, and its continuation in a second turn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedModel

from minigpt4.inference.answering import answer, answer_batch
from minigpt4.inference.reading import Prompt, Reader, text_ids
from minigpt4.inference.turns import Answer, Turn, user_turn
from minigpt4.processing import MiniGPT4Processor

from .recipe import CONTINUE, IMAGE, PROMPT


if TYPE_CHECKING:
    from PIL.Image import Image

# The published prompt without the chat form that it is written in.
WORDS = PROMPT.partition("</Img> ")[2].partition(" ###")[0]
CONTINUE_WORDS = CONTINUE.removeprefix("###Human: ").partition(" ###")[0]


class Describer:
    """
    A model with the prompt that it is asked.

    Args:
        model, processor: as [`~minigpt4.checkpoints.loading.load_any`] returns them.
        prompt (`str`, *optional*):
            With `<ImageHere>` it is read as it stands, which only MiniGPT-4 can do; any other is put in the model's chat form.
            Default: the published prompt; a model with another chat form is asked the same words in its own.
        settings (`dict`): of `generate`, in place of the checkpoint's.

    Raises:
        ValueError: the prompt has `<ImageHere>`, and the model is not a MiniGPT-4; or it has more than one.
    """

    def __init__(
        self, model: PreTrainedModel, processor: Any, prompt: str | None = None, settings: dict[str, Any] | None = None
    ) -> None:
        self.model, self.processor, self.settings = model, processor, settings or {}
        self.is_ours = isinstance(processor, MiniGPT4Processor)
        self.prompt = self._published() if prompt is None else prompt
        self.literal = IMAGE in self.prompt
        if self.literal and not (self.is_ours and self.prompt.count(IMAGE) == 1):
            raise ValueError(
                f"generate.prompt has {self.prompt.count(IMAGE)} {IMAGE}: a prompt of MiniGPT-4 has one, and one for other "
                "models has none, since their chat form has its own."
            )

    def _published(self) -> str:
        if not self.is_ours:
            return WORDS
        chat = self.processor.apply_chat_template([user_turn(WORDS, "picture")], tokenize=False)
        return PROMPT if PROMPT.partition(WORDS)[0] in chat else WORDS

    def describe(self, pictures: "Sequence[Image]") -> list[Answer]:
        """An answer about each picture."""
        if not self.literal:
            chats = [[user_turn(self.prompt, picture)] for picture in pictures]
            return answer(self.model, self.processor, chats, **self.settings)
        texts = [self.prompt] * len(pictures)
        inputs = self.processor(text=texts, images=list(pictures), padding=True, return_tensors="pt")
        return answer_batch(
            self.model, self.processor, inputs.to(self.model.device, self.model.dtype), **self.settings
        )

    def length(self, text: str) -> int:
        """How many of the model's tokens a text has."""
        return len(self.processor.tokenizer(text, add_special_tokens=False)["input_ids"])

    def continue_prompt(self, prompt: str | None) -> str:
        """What asks for more: `prompt`, or the published one in the form of the first prompt."""
        return prompt or (CONTINUE if self.literal else CONTINUE_WORDS)

    def go_on(
        self, picture: "Image", text: str, under: int, at_most: int, prompt: str | None = None
    ) -> tuple[list[str], bool]:
        """
        What follows an answer, asked for in further turns of the same conversation.

        MiniGPT-4 reads each turn once: its picture, keys and values are kept from turn to turn.

        Args:
            text (`str`): the answer.
            under (`int`): tokens of all answers together from which no more is asked for.
            at_most (`int`): how often it is asked.
            prompt (`str`, *optional*): default: the published one, in the form of the first prompt.

        Returns:
            Further answers, and whether the model ended the last of them by itself (`True` where there is none).
        """
        request = self.continue_prompt(prompt)
        reader = Reader(self.model, self.processor) if self.is_ours else None
        said, finished = [text], True
        while len(said) <= at_most and self.length(" ".join(said)) < under:
            made = self._next(reader, picture, said, request)
            if not made.text:
                break
            said.append(made.text)
            finished = made.finished
        return said[1:], finished

    def _next(self, reader: Reader | None, picture: "Image", said: list[str], request: str) -> Answer:
        asked = [self.prompt, *[request] * (len(said) - 1)]
        if reader is None:
            chat = [user_turn(self.prompt, picture)]
            for text in said:
                chat += [{"role": "assistant", "content": [{"type": "text", "text": text}]}, user_turn(request)]
            [made] = answer(self.model, self.processor, [chat], **self.settings)
            return made
        if self.literal:
            whole = "".join(part for pair in zip(asked, said, strict=True) for part in pair) + request
            prompt = Prompt(text_ids(self.processor, whole, 1), [picture])
        else:
            pictures = [(picture,), *[()] * (len(said) - 1)]
            turns = [Turn(a, p, Answer(s, True)) for a, p, s in zip(asked, pictures, said, strict=True)]
            prompt, _ = reader.fit(turns, 0, request, (), self.settings)
        return reader.answer(prompt, None, None, self.settings)
