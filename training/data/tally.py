"""What a run on a mixture was trained on: the batches of each set, and its lost rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.table import Table

from .mixtures import MixedSet, Mixture
from .readers import Lost


# The minimum number of samples to judge a share by.
ENOUGH_TO_JUDGE = 1000


@dataclass(frozen=True)
class Drawn:
    """What a batch was drawn from: the index of its set, the sources of its rows, and the rows lost before it."""

    set: int
    sources: list[str]
    lost: list[Lost]


@dataclass
class SetTally:
    """One set: batches and rows trained on, counts of lost rows by reason, and the first of each."""

    batches: int = 0
    rows: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    shards: list[str] = field(default_factory=list)

    def add(self, other: "SetTally") -> None:
        self.batches += other.batches
        self.rows += other.rows
        for why, count in other.lost.items():
            self.lost[why] = self.lost.get(why, 0) + count
            self.first.setdefault(why, other.first[why])
        self.shards = sorted({*self.shards, *other.shards})

    def __str__(self) -> str:
        return ", ".join(f"{count} {why} (first {self.first[why]})" for why, count in self.lost.items())


class Tally:
    """
    Counts what one process is trained on.

    Args:
        mixture (`Mixture`): what is trained on.
    """

    def __init__(self, mixture: Mixture):
        self.mixture, self.sets = mixture, [SetTally() for _ in mixture.sets]

    def add(self, drawn: Drawn) -> None:
        """
        Count a batch.

        Raises:
            ValueError: more rows of its set were lost than `max_broken` allows.
        """
        lost = SetTally(1, len(drawn.sources))
        for each in drawn.lost:
            is_shard = each.why.endswith("shard")
            if is_shard and each.source in self.sets[drawn.set].shards:
                continue  # the same one, in another pass
            lost.add(SetTally(0, 0, {each.why: 1}, {each.why: each.source}, [each.source] * is_shard))
        self.sets[drawn.set].add(lost)
        if drawn.lost:
            self._check(self.mixture.sets[drawn.set], self.sets[drawn.set])

    def _check(self, mixed: MixedSet, tally: SetTally) -> None:
        samples = sum(tally.lost.values()) - len(tally.shards)
        enough = min(ENOUGH_TO_JUDGE, mixed.rows.length or ENOUGH_TO_JUDGE)
        limit = self.mixture.max_broken if mixed.max_broken is None else mixed.max_broken
        if samples > limit * max(enough, samples + tally.rows) or len(tally.shards) > limit * mixed.rows.num_shards:
            raise ValueError(
                f"{mixed.name}: more than {limit:.2%} cannot be used: {tally}. Fix it, or use --set max_broken=SHARE."
            )

    def state_dict(self) -> list[dict]:
        return [vars(each).copy() for each in self.sets]

    def load_state_dict(self, state: Sequence[dict]) -> None:
        self.sets = [SetTally(**each) for each in state]

    def table(self, others: Sequence[Sequence[dict]] = ()) -> Table:
        """A table of the batches drawn, their ratios, and the lost rows; of all processes, given their states."""
        total = [SetTally() for _ in self.sets]
        for state in others or [self.state_dict()]:
            for each, part in zip(total, state, strict=True):
                each.add(SetTally(**part))
        batches, ratios = sum(each.batches for each in total), sum(each.ratio for each in self.mixture.sets)
        table = Table("set", "share by ratio", "drawn", "batches", "rows", "lost")
        for column in table.columns:
            column.overflow = "fold"  # names are shown whole
        for mixed, each in zip(self.mixture.sets, total, strict=True):
            shares = f"{mixed.ratio / ratios:.1%}", f"{each.batches / max(1, batches):.1%}"
            table.add_row(mixed.name, *shares, str(each.batches), str(each.rows), str(each) or "nothing")
        return table
