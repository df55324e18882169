"""Exact match with the one right answer, as GQA and VSR measure it."""

from collections.abc import Mapping, Sequence
from typing import Any

from .summaries import mean_of
from .vqa_words import normalise


def score(answer: str, target: str, *, published: bool = False) -> dict[str, Any]:
    """
    Compare an answer with the right one, both normalised as in `vqa_accuracy`: "Yes." is "yes".

    Args:
        answer (`str`): the model's.
        target (`str`): the right one.
        published (`bool`, *optional*, defaults to `False`):
            As the published MiniGPT-v2 evaluation: the answer is lower-cased, the right one is taken as it is.

    Returns:
        `dict`: `score`, 1.0 or 0.0; `parsed`, the answer as it was compared.
    """
    if published:
        said, right = answer.lower().replace("<unk>", "").strip(), target
    else:
        said, right = normalise(answer), normalise(target)
    return {"score": float(said == right), "parsed": said}


def summarise(scores: Sequence[Mapping[str, Any]]) -> dict[str, float | int]:
    """`accuracy`, `n`, and `empty`: answers of which nothing was left."""
    return {"accuracy": mean_of(scores), "n": len(scores), "empty": sum(not one["parsed"] for one in scores)}
