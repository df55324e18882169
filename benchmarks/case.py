"""A benchmark case: the same work done by this package and by a peer."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """
    The result of a case.

    Args:
        ours, peer (`float`): in the unit of the case.
        limit (`float`, *optional*): the best that this machine can do, in the same unit and measured in the same run: see README.md.
        notes (`dict`, *optional*): further fields of the JSON line.
    """

    ours: float
    peer: float
    limit: float | None = None
    notes: dict | None = None

    def of_limit(self, less_is_better: bool) -> float | None:
        """The share of the limit that ours reaches. Above 1, the limit is mistaken."""
        if not self.limit:
            return None
        return self.limit / self.ours if less_is_better else self.ours / self.limit


@dataclass(frozen=True)
class Case:
    """
    Args:
        name (`str`): unique, such as `"stage 1, cached"`.
        unit (`str`): of `ours` and `peer`, such as `"samples/s"`.
        reach (`float`): the target ratio ours/peer: a lower bound, or an upper one if `less_is_better`.
        measure (`Callable`): does all of the work, including preparation, and returns the figures.
        less_is_better (`bool`, *optional*, defaults to `False`): as for memory and times.
    """

    name: str
    unit: str
    reach: float
    measure: Callable[[], Figures]
    less_is_better: bool = False
