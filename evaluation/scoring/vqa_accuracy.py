"""Accuracy against the answers of ten people, as VQA v2 and OK-VQA measure it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .summaries import mean_of
from .vqa_words import normalise


# The official program passes a flag where the number of replacements is expected; `re.UNICODE` is 32.
PUBLISHED_PERIODS = 32


def score(answer: str, target: Sequence[str], *, published: bool = False) -> dict[str, Any]:
    """
    Compare an answer with those of people: min(matches / 3, 1), averaged over all choices of people but one
    (https://huggingface.co/papers/1505.00468). Of ten people, 1, 2, 3 and 4 matches give 0.3, 0.6, 0.9 and 1.0.

    Args:
        answer (`str`): the model's.
        target (`list[str]`): the answers of people, ten as a rule.
        published (`bool`, *optional*, defaults to `False`):
            Score as the published MiniGPT-v2 evaluation, and the official program, do: the answers are normalised only where
            the people's differ, so that "a cat" is wrong where all ten say "cat", and at most 32 periods are removed.

    Returns:
        `dict`: `score`; `parsed`, the answer as it was compared.

    Raises:
        ValueError: no answers of people.
    """
    if not target:
        raise ValueError("The target of vqa_accuracy must be the answers of people (got none).")
    if published:
        said, people = re.sub("[\n\t]", " ", answer.lower().replace("<unk>", "")).strip(), list(target)
        if len(set(people)) > 1:
            people = [normalise(one, PUBLISHED_PERIODS) for one in people]
            said = normalise(said, PUBLISHED_PERIODS)
    else:
        said, people = normalise(answer), [normalise(one) for one in target]
    return {"score": leave_one_out(said, people), "parsed": said}


def leave_one_out(said: str, people: Sequence[str]) -> float:
    """min(matches / 3, 1), averaged over the sets of all people but one."""
    matches = sum(said == one for one in people)
    return sum(min((matches - (said == one)) / 3, 1.0) for one in people) / len(people)


def summarise(scores: Sequence[Mapping[str, Any]]) -> dict[str, float | int]:
    """`accuracy`, `n`, and `empty`: answers of which nothing was left."""
    return {
        "accuracy": mean_of(scores),
        "n": len(scores),
        "empty": sum(not one["parsed"] for one in scores),
    }
