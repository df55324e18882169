"""Several sets trained on at once: each batch of one set, which is drawn by its ratio."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import datasets
import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from minigpt4.processing.image_loading import load_image

from .collation import row_images
from .sets import SetRows
from .shards import Shards


# A set of which so many cannot be used, one after the other, is useless: nobody would learn of it otherwise.
MOST_LOST_IN_A_ROW = 1000


@dataclass(frozen=True)
class Lost:
    """What could not be used: why, and which sample or shard."""

    why: str
    source: str


@dataclass(frozen=True)
class MixedSet:
    """
    One set of a mixture.

    Args:
        name (`str`): what reports call it.
        rows ([`Shards`], `datasets.IterableDataset`, or a data set with a length): where its rows come from.
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
            raise ValueError(f"The ratio of {self.name} is {self.ratio}: say a number above 0, or leave the set out.")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"The batch size of {self.name} is {self.batch_size}: say 1 at least.")
        if hasattr(self.rows, "__len__") and len(self.rows) == 0:
            raise ValueError(f"{self.name} has no rows.")


@dataclass(frozen=True)
class Mixture:
    """
    Sets to train on at once, without an end: `max_steps` says when it is enough.

    Args:
        sets (`Sequence[MixedSet]`): what is mixed. One set alone is read in the same way.
        buffer (`int`, *optional*, defaults to 1000): so many samples of a stream are shuffled at a time.
        max_broken (`float`, *optional*, defaults to 0.01): a larger share of a set that cannot be used stops the run.
    """

    sets: Sequence[MixedSet]
    buffer: int = 1000
    max_broken: float = 0.01

    def __post_init__(self):
        names = [each.name for each in self.sets]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"{sorted(twice)[0]} is in the mixture twice: add up its ratios.")


@dataclass(frozen=True)
class MixedBatch:
    """Rows of one set, by its number, and what was lost on the way to them."""

    set: int
    rows: list[dict]
    lost: list[Lost] = field(default_factory=list)


class MixedBatches(IterableDataset):
    """
    The batches of a mixture as one process trains on them, in an order that `seed` decides.

    Every pass over a set reads each of its rows once, shared out between all readers: `ranks` processes with the workers
    of their data loader. `state_dict` and `load_state_dict` are for a `StatefulDataLoader`: what goes on from a state
    gives the batches that would have come next.

    Args:
        mixture (`Mixture`): what to read.
        batch_size (`int`): of sets that have none.
        seed (`int`): decides the order of rows, and which sets are drawn.
        rank, ranks (`int`, *optional*, defaults to 0 and 1): which process this is, of how many.

    Returns (when iterated): [`MixedBatch`], without end. Images are decoded, in RGB.

    Raises:
        ValueError: a thousand rows in a row cannot be used, or a stream has fewer shards than readers.
    """

    def __init__(self, mixture: Mixture, batch_size: int, seed: int, rank: int = 0, ranks: int = 1):
        self.mixture, self.batch_size, self.seed, self.rank, self.ranks = mixture, batch_size, seed, rank, ranks
        self._readers: list[_RowReader | _StreamReader] = []
        self._drawn = 0
        self._state: dict | None = None

    def __iter__(self) -> Iterator[MixedBatch]:
        worker = get_worker_info()
        workers, number = (worker.num_workers, worker.id) if worker else (1, 0)
        reader = self.rank * workers + number
        share = _Share(self.rank, self.ranks, reader, self.ranks * workers)
        self._readers = [
            (_RowReader if hasattr(each.rows, "__len__") else _StreamReader)(
                each, number, self.mixture.buffer, self.seed, share
            )
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
            [drawn] = random.Random(f"{self.seed} {reader} {self._drawn}").choices(range(len(ratios)), ratios)
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


class _Share(NamedTuple):
    """Which part of everything is read here: by this process, and by this one of its workers."""

    rank: int
    ranks: int
    reader: int
    readers: int


class _RowReader:
    """Rows of a set with a length: of all passes one after the other, every `readers`-th."""

    def __init__(self, mixed: MixedSet, number: int, buffer: int, seed: int, share: _Share):
        self.mixed, self.number, self.seed, self.share, self.taken = mixed, number, seed, share, 0
        self._pass, self._order = -1, np.empty(0, int)

    def next(self) -> dict | Lost:
        rows, size = self.mixed.rows, len(self.mixed.rows)
        epoch, place = divmod(self.share.reader + self.taken * self.share.readers, size)
        self.taken += 1
        if epoch != self._pass:
            key = _as_number(f"{self.seed} {self.number} {epoch}")
            self._pass, self._order = epoch, np.random.default_rng(key).permutation(size)
        index = int(self._order[place])
        row = rows.draw(index, self.seed, epoch) if isinstance(rows, SetRows) else rows[index]
        return _with_images({"source": f"{self.mixed.name}, row {index}", **row, "row": index, "epoch": epoch})

    def state_dict(self) -> dict:
        return {"taken": self.taken}

    def load_state_dict(self, state: dict) -> None:
        self.taken = state["taken"]


class _StreamReader:
    """
    Samples of a stream, shuffled block by block.

    `datasets` shuffles in a buffer that it does not keep: what is in it is lost to a run that goes on. A block is read
    again instead, and shuffled in the same way.
    """

    def __init__(self, mixed: MixedSet, number: int, buffer: int, seed: int, share: _Share):
        self.mixed, self.number, self.buffer, self.seed, self.share = mixed, number, buffer, seed, share
        self.taken, self._pass, self._state = 0, 0, None
        self._rows: datasets.IterableDataset | None = None
        self._iterator: Iterator[dict] | None = None

    def _begin(self) -> Iterator[dict]:
        seed, rows = f"{self.seed} {self.number} {self._pass}", self.mixed.rows
        if isinstance(rows, Shards):
            rows = rows.stream(seed)
        else:  # its files in another order
            rows = rows.shuffle(seed=_as_number(seed), buffer_size=1, max_buffer_input_shards=1)
        if rows.num_shards < self.share.readers:
            raise ValueError(
                f"{self.mixed.name} has {rows.num_shards} shard(s), fewer than the {self.share.readers} readers "
                f"({self.share.ranks} process(es) with their dataloader_num_workers): set fewer of them."
            )
        rows = rows.map(_shuffled, batched=True, batch_size=self.buffer, with_indices=True, fn_kwargs={"seed": seed})
        # The part of this process; `datasets` shares it out between the workers by itself.
        self._rows = rows.shard(self.share.ranks, self.share.rank)
        if self._state is not None:
            self._rows.load_state_dict(self._state)
        return iter(self._rows)

    def next(self) -> dict | Lost:
        if self._iterator is None:
            self._iterator = self._begin()
        row = next(self._iterator, None)
        if row is None:
            self._pass, self._state = self._pass + 1, None
            self._iterator = self._begin()
            row = next(self._iterator, None)
        if row is None:
            raise ValueError(f"{self.mixed.name} has no rows.")
        number = self.share.reader + self.taken * self.share.readers
        self.taken += 1
        if why := row.pop("broken", None):
            return Lost(why, row["source"])
        return _with_images({"source": f"{self.mixed.name}, row {number}", **row, "row": number, "epoch": 0})

    def state_dict(self) -> dict:
        rows = self._rows.state_dict() if self._rows is not None else None
        return {"taken": self.taken, "pass": self._pass, "rows": rows or self._state}

    def load_state_dict(self, state: dict) -> None:
        self.taken, self._pass, self._state = state["taken"], state["pass"], state["rows"]


def _as_number(seed: str) -> int:
    return random.Random(seed).getrandbits(32)


def _shuffled(block: Mapping[str, list], indices: list[int], seed: str) -> dict[str, list]:
    order = list(range(len(indices)))
    random.Random(f"{seed} {indices[0]}").shuffle(order)
    return {name: [column[index] for index in order] for name, column in block.items()}


def _with_images(row: dict) -> dict | Lost:
    """A row with its images decoded, or why it has none."""
    try:
        images = [load_image(image) for image in row_images(row)]
    except FileNotFoundError:
        return Lost("missing image", row["source"])
    except ValueError:
        return Lost("damaged image", row["source"])
    return {**row, "images": images} if row.get("images") else {**row, "image": images[0]} if images else row
