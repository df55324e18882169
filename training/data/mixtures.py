"""Several sets trained on at once: each batch of one set, which is drawn by its ratio."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, ClassVar

from torch.utils.data import IterableDataset

from minigpt4.training.row import Row

from .readers import Lost, RowReader, Share, StreamReader, refuse_too_few_shards
from .rows import Rows, as_rows


# A set with this many consecutive unusable rows is useless, which nobody would notice otherwise.
MOST_LOST_IN_A_ROW = 1000


@dataclass(frozen=True)
class MixedSet:
    """
    One set of a mixture.

    Args:
        name (`str`): what reports call it.
        rows ([`Shards`], `datasets.IterableDataset`, or a data set with a length): where its rows come from, as [`Rows`]
            from now on.
        ratio (`float`, *optional*, defaults to 1.0): how many batches come from it, beside the other sets' ratios.
        batch_size (`int`, *optional*): rows of its batches. Default: `per_device_train_batch_size`.
        max_broken (`float`, *optional*): in place of the mixture's.
    """

    name: str
    rows: Any
    ratio: float = 1.0
    batch_size: int | None = None
    max_broken: float | None = None

    def __post_init__(self):
        if not self.ratio > 0:
            raise ValueError(
                f"The ratio of {self.name} must be above 0 (got {self.ratio}): change it, or remove the set."
            )
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"The batch size of {self.name} must be at least 1 (got {self.batch_size}).")
        object.__setattr__(self, "rows", as_rows(self.rows))
        if self.rows.length == 0:
            raise ValueError(f"{self.name} has no rows.")


@dataclass(frozen=True)
class Mixture(Rows):
    """
    Sets to train on at once, as an endless stream: `max_steps` ends the run.

    Args:
        sets (`Sequence[MixedSet]`): what is mixed. One set alone is read in the same way.
        buffer (`int`, *optional*, defaults to 1000): number of samples of a stream shuffled at a time.
        max_broken (`float`, *optional*, defaults to 0.01): a larger share of a set that cannot be used stops the run.
    """

    sets: Sequence[MixedSet]
    buffer: int = 1000
    max_broken: float = 0.01
    counts_lost: ClassVar[bool] = True

    def __post_init__(self):
        if self.buffer < 1:
            raise ValueError(
                f"The shuffle buffer must be at least 1 sample, which keeps the order of the files (got {self.buffer})."
            )
        names = [each.name for each in self.sets]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"{sorted(twice)[0]} is in the mixture twice: list it once, with the sum of its ratios.")

    def numbered(self, seed: int = 0, drawn_anew: bool = True) -> "Mixture":
        """Itself: it numbers its rows when it draws them."""
        return self

    def each_once(self, share: Share) -> Iterator[Row]:
        return chain.from_iterable(each.rows.each_once(share) for each in self.sets)

    def preview(self, seed: int = 0) -> Iterator[Row]:
        quick = replace(self, buffer=1)  # nobody waits for the whole buffer of a stream to see one of it
        return chain.from_iterable(batch.rows for batch in MixedBatches(quick, batch_size=1, seed=0))


@dataclass(frozen=True)
class MixedBatch:
    """Rows of one set, by its number, and what was lost on the way to them."""

    set: int
    rows: list[Row]
    lost: list[Lost] = field(default_factory=list)


class MixedBatches(IterableDataset):
    """
    The batches of a mixture as one process trains on them, in an order that `seed` decides.

    Every pass over a set reads each of its rows once, shared out between all readers: `ranks` processes with the workers
    of their data loader. `state_dict` and `load_state_dict` are for a `StatefulDataLoader`: resuming from a state
    gives the batches that would have come next.

    Args:
        mixture (`Mixture`): what to read.
        batch_size (`int`): of sets that have none.
        seed (`int`): decides the order of rows, and which sets are drawn.
        rank, ranks (`int`, *optional*, defaults to 0 and 1): which process this is, of how many.

    Returns (when iterated): [`MixedBatch`], without end. Images are decoded, in RGB.

    Raises:
        ValueError: a thousand rows in a row cannot be used, or a stream has fewer shards than workers.
    """

    def __init__(self, mixture: Mixture, batch_size: int, seed: int, rank: int = 0, ranks: int = 1):
        self.mixture, self.batch_size, self.seed, self.rank, self.ranks = mixture, batch_size, seed, rank, ranks
        self._readers: list[RowReader | StreamReader] = []
        self._drawn = 0
        self._state: dict | None = None

    def refuse_too_few_shards(self, workers: int) -> None:
        """Raise before anything is started what would be raised in one of `workers` workers."""
        for each in self.mixture.sets:
            if each.rows.length is None:
                refuse_too_few_shards(each.name, each.rows.num_shards, self.ranks, max(1, workers))

    def __iter__(self) -> Iterator[MixedBatch]:
        share = Share.of_worker(self.rank, self.ranks)
        self._readers = [
            each.rows.open(each.name, number, self.seed, share, self.mixture.buffer)
            for number, each in enumerate(self.mixture.sets)
        ]
        self._drawn = 0
        if self._state:
            self._drawn = self._state["drawn"]
            for each, state in zip(self._readers, self._state["sets"], strict=True):
                each.load_state_dict(state)
            self._state = None
        ratios = [each.ratio for each in self.mixture.sets]
        while True:
            [drawn] = random.Random(f"{self.seed} {share.reader} {self._drawn}").choices(range(len(ratios)), ratios)
            self._drawn += 1
            yield self._batch(drawn)

    def _batch(self, drawn: int) -> MixedBatch:
        batch = MixedBatch(drawn, [])
        size = self.mixture.sets[drawn].batch_size or self.batch_size
        in_a_row = 0
        while len(batch.rows) < size:
            row = self._readers[drawn].next()
            if not isinstance(row, Lost):
                batch.rows.append(row)
                in_a_row = 0
                continue
            batch.lost.append(row)
            in_a_row += 1
            if in_a_row == MOST_LOST_IN_A_ROW:
                raise ValueError(
                    f"{in_a_row} samples in a row of {self.mixture.sets[drawn].name} cannot be used, the last one being "
                    f"{row.source} ({row.why})."
                )
        return batch

    def state_dict(self) -> dict | None:
        if not self._readers:
            return self._state
        return {"drawn": self._drawn, "sets": [reader.state_dict() for reader in self._readers]}

    def load_state_dict(self, state: dict | None) -> None:
        self._state = state
