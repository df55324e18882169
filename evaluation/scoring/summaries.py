"""What the summaries of all metrics share."""

from collections.abc import Iterable, Mapping
from typing import Any


def mean_of(scores: Iterable[Mapping[str, Any]], name: str = "score") -> float:
    """The mean of one figure over the samples that have it; 0.0 where none has."""
    values = [float(one[name]) for one in scores if one.get(name) is not None]
    return sum(values) / len(values) if values else 0.0


def ratio(part: float, whole: float) -> float:
    """`part / whole`; 0.0 of nothing."""
    return part / whole if whole else 0.0
