"""The model that describes pictures: one answer about each of a batch, and its continuation in a second turn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedModel

from minigpt4.inference.answering import answer, answer_batch
from minigpt4.inference.turns import Answer, user_turn
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
        model, processor (`PreTrainedModel`, `ProcessorMixin`): as [`~minigpt4.checkpoints.loading.load_any`] returns them.
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
        return self._answer_texts([self.prompt] * len(pictures), pictures)

    def length(self, text: str) -> int:
        """How many of the model's tokens a text has."""
        return len(self.processor.tokenizer(text, add_special_tokens=False)["input_ids"])

    def continue_prompt(self, prompt: str | None) -> str:
        """What asks for more: `prompt`, or the published one in the form of the first prompt."""
        return prompt or (CONTINUE if self.literal else CONTINUE_WORDS)

    def go_on(
        self, pictures: "Sequence[Image]", texts: Sequence[str], under: int, at_most: int, prompt: str | None = None
    ) -> list[tuple[list[str], bool]]:
        """
        What follows each of a batch of answers, asked for in further turns of the same conversation.

        Args:
            pictures (`Sequence[Image]`): what the answers are about.
            texts (`Sequence[str]`): the answers.
            under (`int`): tokens of all answers about a picture from which no more is asked for.
            at_most (`int`): how often it is asked.
            prompt (`str`, *optional*): default: the published one, in the form of the first prompt.

        Returns:
            For each, further answers, and whether the model ended the last of them by itself (`True` where there is none).
        """
        request = self.continue_prompt(prompt)
        said, finished = [[text] for text in texts], [True] * len(texts)
        short = list(range(len(texts)))
        for _ in range(at_most):
            short = [index for index in short if self.length(" ".join(said[index])) < under]
            if not short:
                break
            made = self._next([pictures[index] for index in short], [said[index] for index in short], request)
            for index, answered in zip(short, made, strict=True):
                if answered.text:
                    said[index].append(answered.text)
                    finished[index] = answered.finished
            short = [index for index, answered in zip(short, made, strict=True) if answered.text]
        return [(one[1:], end) for one, end in zip(said, finished, strict=True)]

    def _next(self, pictures: "Sequence[Image]", said: Sequence[Sequence[str]], request: str) -> list[Answer]:
        if self.literal:
            asked = [self.prompt, *[request] * max(map(len, said))]
            texts = ["".join(map("".join, zip(asked, one, strict=False))) + request for one in said]
            return self._answer_texts(texts, pictures)
        chats = []
        for picture, answers in zip(pictures, said, strict=True):
            chat = [user_turn(self.prompt, picture)]
            for text in answers:
                chat += [{"role": "assistant", "content": [{"type": "text", "text": text}]}, user_turn(request)]
            chats.append(chat)
        return answer(self.model, self.processor, chats, **self.settings)

    def _answer_texts(self, texts: Sequence[str], pictures: "Sequence[Image]") -> list[Answer]:
        inputs = self.processor(text=list(texts), images=list(pictures), padding=True, return_tensors="pt")
        return answer_batch(
            self.model, self.processor, inputs.to(self.model.device, self.model.dtype), **self.settings
        )
