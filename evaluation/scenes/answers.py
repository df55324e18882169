"""The answers of a model about drawn scenes."""

from collections.abc import Sequence

from PIL import Image
from tqdm.auto import tqdm
from transformers import PreTrainedModel, ProcessorMixin

from minigpt4.inference.answering import answer
from minigpt4.inference.turns import Answer, user_turn


def answer_all(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    pictures: Sequence[Image.Image],
    requests: Sequence[str],
    batch_size: int,
    title: str,
    max_new_tokens: int,
) -> list[Answer]:
    """The greedy answers to `requests`, one picture each, without their end mark."""
    # Requests of one length are mostly alike, and so are their answers: a batch takes as long as its longest row.
    order = sorted(range(len(requests)), key=lambda index: len(requests[index]))
    answers: dict[int, Answer] = {}
    with tqdm(total=len(requests), desc=title, unit="answer", dynamic_ncols=True) as progress:
        for start in range(0, len(requests), batch_size):
            batch = order[start : start + batch_size]
            chats = [[user_turn(requests[index], pictures[index])] for index in batch]
            made = answer(model, processor, chats, do_sample=False, max_new_tokens=max_new_tokens)
            answers.update(zip(batch, made, strict=True))
            progress.update(len(batch))
    return [answers[index] for index in range(len(requests))]


__all__ = ["answer_all"]
