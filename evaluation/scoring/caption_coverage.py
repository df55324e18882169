"""Whether a description covers reference captions, judged by a language model, as MiniGPT-4 was measured on COCO."""

from collections.abc import Mapping, Sequence
from typing import Any

from .summaries import ratio
from .yes_no import yes_or_no


def score(answer: str, target: int = 1) -> dict[str, Any]:
    """
    Read the reply of a judge. What says neither yes nor no is unjudged.

    Args:
        answer (`str`): the judge's reply: one yes or no, or a line with yes or no for each reference.
        target (`int`, *optional*, defaults to 1): the references it judged.

    Returns:
        `dict`: `score`, the share covered of those judged, `None` where none is; `covered`, `judged` and `unjudged` references.

    Raises:
        ValueError: fewer than one reference.
    """
    if target < 1:
        raise ValueError(f"A judge must have judged at least 1 reference (got {target}).")
    lines = [answer] if target == 1 else answer.splitlines()
    verdicts = [verdict for line in lines if (verdict := yes_or_no(line)) is not None]
    if len(verdicts) > target:  # which line is of which reference cannot be told
        verdicts = []
    covered = verdicts.count("yes")
    return {
        "score": covered / len(verdicts) if verdicts else None,
        "covered": covered,
        "judged": len(verdicts),
        "unjudged": target - len(verdicts),
    }


def summarise(scores: Sequence[Mapping[str, Any]]) -> dict[str, float | int]:
    """`coverage`, the share covered of the references judged; `covered_of_each`, how many of a sample's references are covered
    on average; `n` samples; `judged` and `unjudged` references."""
    covered, judged, unjudged = (sum(one[name] for one in scores) for name in ("covered", "judged", "unjudged"))
    return {
        "coverage": ratio(covered, judged),
        "covered_of_each": ratio(covered, len(scores)),
        "n": len(scores),
        "judged": judged,
        "unjudged": unjudged,
    }
