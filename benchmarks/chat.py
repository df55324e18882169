"""The eighth turn of a chat about a picture, beside the same turn read from the start."""

import copy
import random
from collections.abc import Callable
from io import BytesIO

import torch
from PIL import Image

from minigpt4.conversation import Conversation

from . import models
from .case import Case, Figures
from .measuring import interleave


TURNS, QUESTION_WORDS, ANSWER_TOKENS = 8, 16, 64


def speaking_model():
    """The model of benchmark size, which says words of nano's only and goes on to the longest answer."""
    model, tokenizer = models.ours(), models.processor().tokenizer
    spoken = torch.zeros(len(model.lm_head.weight), dtype=torch.bool)
    spoken[[tokenizer.convert_tokens_to_ids(f"▁{word}") for word in models.words()]] = True
    with torch.no_grad():
        model.lm_head.weight[~spoken] = 0
    model.generation_config.max_new_tokens = ANSWER_TOKENS
    return model


def questions() -> list[str]:
    draw, words = random.Random(0), models.words()
    return [" ".join(draw.choices(words, k=QUESTION_WORDS)) for _ in range(TURNS)]


def seven_turns() -> tuple[Conversation, str]:
    """A chat before its eighth turn, and what is said in that."""
    *first, last = questions()
    conversation = Conversation(speaking_model(), models.processor())
    conversation.show(Image.open(BytesIO(models.picture(0))))
    for question in first:
        list(conversation.stream(question))
    return conversation, last


def remembering(conversation: Conversation) -> Conversation:
    """The same chat, as it is before the turn, so that it can be gone on with more than once."""
    twin = copy.copy(conversation)
    twin._reader = copy.copy(conversation._reader)
    twin._reader._cache = copy.deepcopy(conversation._reader._cache)
    return twin


def afresh(conversation: Conversation) -> Conversation:
    """A chat with the same turns that has read nothing yet."""
    twin = Conversation(conversation.model, conversation.processor)
    twin.turns = conversation.turns
    return twin


def first_word(conversation: Conversation, text: str) -> str:
    return "".join(conversation.stream(text, max_new_tokens=1))


def whole(conversation: Conversation, text: str) -> str:
    return "".join(conversation.stream(text))


def eighth_turn(answer: Callable[[Conversation, str], str]) -> Figures:
    conversation, text = seven_turns()
    same = answer(remembering(conversation), text) == answer(afresh(conversation), text)
    copies = [remembering(conversation) for _ in range(6)]
    seconds = interleave(lambda: answer(copies.pop(), text), lambda: answer(afresh(conversation), text))
    positions = len(conversation._reader.fit(conversation.turns, 0, text, [], {})[0].ids)
    return Figures(*seconds, notes={"same_answer": same, "positions": positions})


CASES = [
    Case("chat, turn 8 to its first word", "s", 0.2, lambda: eighth_turn(first_word), less_is_better=True),
    Case("chat, turn 8 whole", "s", 0.2, lambda: eighth_turn(whole), less_is_better=True),
]
