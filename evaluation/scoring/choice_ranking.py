"""Whether the right one of several candidates is the model's likeliest answer, as IconQA is measured."""

from collections.abc import Mapping, Sequence
from typing import Any

from .summaries import mean_of


def score(answer: Mapping[str, Any], target: int, *, published: bool = False) -> dict[str, Any]:
    """
    Rank candidates by their losses as answers. Of equal ones the first is chosen.

    Args:
        answer (`dict`):
            `losses`, for each candidate those of its tokens, the end included; for the published score also
            `padded_lengths`, the tokens in a row of the batch in which the candidate was scored, padding included.
        target (`int`): index of the right candidate.
        published (`bool`, *optional*, defaults to `False`):
            `score` is by the sum of the losses over the padded length - 1, as in the published MiniGPT-v2 evaluation; short
            candidates gain by it. Else it is by their mean.

    Returns:
        `dict`: `mean` and, with padded lengths, `published`: 1.0 where the right candidate is chosen by it, else 0.0; `score`,
        the wanted one; `parsed`, the index it chose.

    Raises:
        ValueError: no candidates, one without losses, a target that is none of them; no padded lengths for `published`.
    """
    losses, padded = answer["losses"], answer.get("padded_lengths")
    if not losses or not all(losses):
        raise ValueError("choice_ranking needs candidates with a loss for each of their tokens (one has none).")
    if not 0 <= target < len(losses):
        raise ValueError(f"The right candidate must be one of 0 to {len(losses) - 1} (got {target}).")
    if published and not padded:
        raise ValueError("The published score of choice_ranking needs padded_lengths.")
    chosen = {"mean": _lowest([sum(one) / len(one) for one in losses])}
    if padded:
        chosen["published"] = _lowest([sum(one) / (size - 1) for one, size in zip(losses, padded, strict=True)])
    figures = {name: float(index == target) for name, index in chosen.items()}
    wanted = "published" if published else "mean"
    return {"score": figures[wanted], **figures, "parsed": chosen[wanted]}


def _lowest(values: Sequence[float]) -> int:
    return min(range(len(values)), key=values.__getitem__)


def summarise(scores: Sequence[Mapping[str, Any]]) -> dict[str, float | int]:
    """`accuracy` by the wanted score; `accuracy_mean`; `accuracy_published`, where all samples have it; `n`."""
    summary = {"accuracy": mean_of(scores), "accuracy_mean": mean_of(scores, "mean")}
    if scores and all("published" in one for one in scores):
        summary["accuracy_published"] = mean_of(scores, "published")
    return {**summary, "n": len(scores)}
