"""Accuracy against the answers of ten people, as VizWiz measures it, and as MiniGPT-v2 was measured on it."""

from collections.abc import Mapping, Sequence
from typing import Any

from .summaries import mean_of
from .vqa_accuracy import score as vqa_score


def score(answer: str, target: Sequence[str], *, published: bool = False) -> dict[str, Any]:
    """
    Both scores of an answer. The official one is that of `vqa_accuracy` (https://huggingface.co/papers/1802.08218).

    Args:
        answer (`str`): the model's.
        target (`list[str]`): the answers of people, ten as a rule.
        published (`bool`, *optional*, defaults to `False`):
            `score` is the published MiniGPT-v2 evaluation's: min(matches / 3, 1) over all ten, of which none is left out;
            nothing is normalised but the case, and an answer of a person that contains `_` counts as several.

    Returns:
        `dict`: `official` and `published`; `score`, the chosen one; `parsed`, the answer as it was compared for it.

    Raises:
        ValueError: no answers of people.
    """
    official = vqa_score(answer, target)
    said = answer.lower()
    matches = sum(said == one for one in "_".join(target).lower().split("_"))
    figures = {"official": official["score"], "published": min(matches / 3, 1.0)}
    return {
        "score": figures["published" if published else "official"],
        **figures,
        "parsed": said if published else official["parsed"],
    }


def summarise(scores: Sequence[Mapping[str, Any]]) -> dict[str, float | int]:
    """`accuracy` by the chosen score; `accuracy_official`, `accuracy_published`; `n`; `empty`, answers of which nothing was left."""
    return {
        "accuracy": mean_of(scores),
        "accuracy_official": mean_of(scores, "official"),
        "accuracy_published": mean_of(scores, "published"),
        "n": len(scores),
        "empty": sum(not one["parsed"] for one in scores),
    }
