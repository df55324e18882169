"""The eighth turn of a chat about a picture, compared with the same turn without any cache."""

import copy
import random
import time
from collections.abc import Callable
from functools import cache
from io import BytesIO

from PIL import Image

from minigpt4.inference.conversation import Conversation

from . import models
from .case import Case, Figures
from .generation import decode_bytes
from .measuring import REPETITIONS, interleave
from .roofline import Work, least_seconds


TURNS, QUESTION_WORDS, ANSWER_TOKENS = 8, 16, 64


def speaking_model(text: dict | None = None):
    """The benchmark model, which says words up to the maximum length."""
    model = models.speaking(models.ours(text))
    model.generation_config.max_new_tokens = ANSWER_TOKENS
    return model


def questions(turns: int = TURNS) -> list[str]:
    draw, words = random.Random(0), models.words()
    return [" ".join(draw.choices(words, k=QUESTION_WORDS)) for _ in range(turns)]


@cache
def seven_turns() -> tuple[Conversation, str, float]:
    """A chat before its eighth turn, that turn, and the seconds it took to prefill the seventh answer."""
    *first, last = questions()
    conversation = Conversation(speaking_model(), models.processor())
    conversation.show(Image.open(BytesIO(models.picture(0))))
    for question in first:
        list(conversation.stream(question))
    start = time.perf_counter()
    conversation.finish_reading()  # as while a user reads the answer
    return conversation, last, time.perf_counter() - start


def remembering(conversation: Conversation) -> Conversation:
    """A copy of the chat before the turn, so that it can be continued more than once."""
    twin = copy.copy(conversation)
    twin._reader = copy.copy(conversation._reader)
    twin._reader._cache = copy.deepcopy(conversation._reader._cache)
    twin._read_ahead = lambda: None  # there is no ninth turn, and prefilling would distort the timing
    return twin


def afresh(conversation: Conversation) -> Conversation:
    """A chat with the same turns and an empty cache."""
    twin = Conversation(conversation.model, conversation.processor)
    twin.turns = conversation.turns
    twin._read_ahead = lambda: None
    return twin


def first_word(conversation: Conversation, text: str) -> str:
    return "".join(conversation.stream(text, max_new_tokens=1))


def whole(conversation: Conversation, text: str) -> str:
    return "".join(conversation.stream(text))


def positions_read(conversation: Conversation, text: str) -> int:
    """How many positions the language model processes before the answer begins."""
    lengths: list[int] = []
    hook = conversation.model.model.language_model.register_forward_pre_hook(
        lambda _, args, kwargs: lengths.append(kwargs["inputs_embeds"].shape[1]), with_kwargs=True
    )
    first_word(conversation, text)
    hook.remove()
    return lengths[0]


def operations(model, positions: int, pictures: int) -> float:
    """Multiplications and additions until an answer begins: two for each weight and position."""
    layers, head, tower, qformer = (
        sum(parameter.numel() for parameter in module.parameters())
        for module in (model.model.language_model.layers, model.lm_head, model.model.vision_tower, model.model.qformer)
    )
    patches = (models.IMAGE_SIZE // models.VISION["patch_size"]) ** 2 + 1
    return 2 * (layers * positions + head + pictures * (tower * patches + qformer * models.IMAGE_TOKENS))


def time_turn(
    answer: Callable[[Conversation, str], str], conversation: Conversation, text: str
) -> tuple[float, float]:
    """Seconds of the turn in the continued chat, and in one that is processed from the start."""
    copies = [remembering(conversation) for _ in range(REPETITIONS + 1)]
    return interleave(lambda: answer(copies.pop(), text), lambda: answer(afresh(conversation), text))


def first_word_of_turn() -> Figures:
    conversation, text, ahead = seven_turns()
    seconds = time_turn(first_word, conversation, text)
    new, every = (positions_read(way(conversation), text) for way in (remembering, afresh))
    read = decode_bytes(conversation.model)
    limit = least_seconds(Work(operations(conversation.model, new, 0), read))
    return Figures(*seconds, limit, notes={"positions": [new, every], "read_ahead_s": round(ahead, 3)})


def whole_turn() -> Figures:
    conversation, text, _ = seven_turns()
    same = whole(remembering(conversation), text) == whole(afresh(conversation), text)
    seconds, new = time_turn(whole, conversation, text), positions_read(remembering(conversation), text)
    read = decode_bytes(conversation.model)
    prompt, step = (Work(operations(conversation.model, positions, 0), read) for positions in (new, 1))
    limit = least_seconds(prompt, *[step] * (ANSWER_TOKENS - 1))
    return Figures(*seconds, limit, notes={"same_answer": same})


CASES = [
    Case("chat, turn 8 to its first word", "s", 0.2, first_word_of_turn, less_is_better=True),
    Case("chat, turn 8 with an answer of 64 tokens", "s", 0.2, whole_turn, less_is_better=True),
]
