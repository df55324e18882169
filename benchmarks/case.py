"""What a benchmark is: the same work done by this package and by a peer."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """
    What came out of a case.

    Args:
        ours, peer (`float`): in the unit of the case.
        limit (`float`, *optional*): the ratio ours/peer that counting operations and bytes comes to, see README.md.
        notes (`dict`, *optional*): more to write into the JSON line.
    """

    ours: float
    peer: float
    limit: float | None = None
    notes: dict | None = None


@dataclass(frozen=True)
class Case:
    """
    Args:
        name (`str`): unique, such as `"stage 1, cached"`.
        unit (`str`): of `ours` and `peer`, such as `"samples/s"`.
        reach (`float`): the ratio ours/peer to reach: at least so much, or at most where `less_is_better`.
        measure (`Callable`): does the work, everything included that it needs, and gives the figures.
        less_is_better (`bool`, *optional*, defaults to `False`): as with memory and times.
    """

    name: str
    unit: str
    reach: float
    measure: Callable[[], Figures]
    less_is_better: bool = False
