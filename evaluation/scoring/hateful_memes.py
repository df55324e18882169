"""Whether memes are told to be hateful: accuracy, and the area under the ROC curve (https://huggingface.co/papers/2005.04790)."""

from collections.abc import Mapping, Sequence
from typing import Any

from .summaries import mean_of
from .yes_no import yes_or_no


def score(answer: str, target: int, *, probability: float | None = None, published: bool = False) -> dict[str, Any]:
    """
    Compare a yes or no with the label. Any other answer is wrong.

    Args:
        answer (`str`): the model's.
        target (`int`): 1 for hateful, else 0.
        probability (`float`, *optional*): that of "yes" among "yes" and "no", for the ROC curve.
        published (`bool`, *optional*, defaults to `False`):
            As the published MiniGPT-v2 evaluation: nothing but the word itself counts, so that "yes." is wrong.

    Returns:
        `dict`: `score`, 1.0 or 0.0; `parsed`, `"yes"`, `"no"` or `None`; `label`; `probability`.

    Raises:
        ValueError: another label.
    """
    if target not in (0, 1):
        raise ValueError(f"The label of a meme must be 0 or 1 (got {target}).")
    word = answer.lower().strip()
    said = (word if word in ("yes", "no") else None) if published else yes_or_no(answer)
    return {
        "score": float(said == ("yes" if target else "no")),
        "parsed": said,
        "label": int(target),
        "probability": probability,
    }


def summarise(scores: Sequence[Mapping[str, Any]]) -> dict[str, float | int]:
    """`accuracy`; `auroc`, where all samples have a probability and both labels occur; `n`; `unparsable`, neither yes nor no."""
    summary = {"accuracy": mean_of(scores)}
    if {one["label"] for one in scores} == {0, 1} and all(one["probability"] is not None for one in scores):
        summary["auroc"] = _auroc([one["label"] for one in scores], [one["probability"] for one in scores])
    return {**summary, "n": len(scores), "unparsable": sum(one["parsed"] is None for one in scores)}


def _auroc(labels: Sequence[int], probabilities: Sequence[float]) -> float:
    """How often one that is hateful is above one that is not; equal ones count half (Mann and Whitney)."""
    import pandas

    ranks = pandas.Series(probabilities).rank()
    positive = sum(labels)
    above = sum(rank for rank, label in zip(ranks, labels, strict=True) if label) - positive * (positive + 1) / 2
    return float(above / (positive * (len(labels) - positive)))
