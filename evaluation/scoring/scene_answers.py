"""Answers about a drawn scene, as nano is measured."""

from collections.abc import Mapping, Sequence
from typing import Any

from minigpt4.evaluation.scenes.scoring import answer_is_right
from minigpt4.evaluation.scenes.wording import Question

from .summaries import mean_of


def score(answer: str, target: str) -> dict[str, Any]:
    """
    Compare an answer with the right one: it must state the same facts.

    Args:
        answer (`str`): the model's.
        target (`str`): the right one.

    Returns:
        `dict`: `score`, 1.0 or 0.0.
    """
    return {"score": float(answer_is_right(Question("", "", target), answer))}


def summarise(scores: Sequence[Mapping[str, Any]]) -> dict[str, float | int]:
    """`accuracy`, and `n`."""
    return {"accuracy": mean_of(scores), "n": len(scores)}
