"""Counts of the rows of a set: usable, left out, missing and broken."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class SetReport:
    """
    Counts of the rows in a set's annotations.

    Args:
        read (`int`): rows in the annotations.
        left_out (`Counter[str]`): rows that the published training excludes, by reason.
        missing (`list[str]`): rows with a missing image; each names file, row and image.
        broken (`list[str]`): malformed rows; each names file, row and problem.
        must_be_whole (`bool`): whether any of these stops training regardless of `max_broken`, as in a folder.
    """

    read: int = 0
    left_out: Counter = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    must_be_whole: bool = False

    @property
    def unusable(self) -> list[str]:
        return self.missing + self.broken

    @property
    def share(self) -> float:
        """Of the rows that the published training would use, the share that cannot be used."""
        return len(self.unusable) / max(1, self.read - sum(self.left_out.values()))

    def __str__(self) -> str:
        usable = self.read - sum(self.left_out.values()) - len(self.unusable)
        parts = [f"{usable} of {self.read} rows"]
        parts += [f"{count} left out ({reason})" for reason, count in self.left_out.most_common()]
        parts += [f"{len(self.missing)} without their image"] * bool(self.missing)
        parts += [f"{len(self.broken)} broken"] * bool(self.broken)
        return ", ".join(parts) + (f"; first: {self.unusable[0]}" if self.unusable else "")
