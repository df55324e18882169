"""Readers of one set in one process: each pass in a new order, resumable from a state."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import datasets
import numpy as np
from datasets.distributed import split_dataset_by_node
from torch.utils.data import get_worker_info

from minigpt4.processing.image_loading import load_image
from minigpt4.training.row import Row, number_row, replace_images, row_images


@dataclass(frozen=True)
class Lost:
    """An unusable sample or shard, with the reason."""

    why: str
    source: str


class Share(NamedTuple):
    """The part of the rows that one worker of one process reads."""

    rank: int
    ranks: int
    reader: int
    readers: int

    @classmethod
    def of_worker(cls, rank: int, ranks: int) -> "Share":
        """The part of the current worker, in process `rank` of `ranks`."""
        worker = get_worker_info()
        workers, number = (worker.num_workers, worker.id) if worker else (1, 0)
        return cls(rank, ranks, rank * workers + number, ranks * workers)


def refuse_too_few_shards(name: str, shards: int, ranks: int, workers: int) -> None:
    """
    Make sure that each worker of a stream has something to read. Processes split the shards, or the samples if
    there are fewer shards.

    Raises:
        ValueError: there are fewer shards than workers of a process, or of all processes.
    """
    most = shards // ranks or shards
    if workers > most:
        raise ValueError(
            f"{name} has {shards} shard(s), too few for {workers} workers in each of {ranks} process(es): use --set "
            f"dataloader_num_workers={most}."
        )


class RowReader:
    """
    Rows of a set with a length: of all passes in sequence, each `readers`-th.

    Args:
        name (`str`): of the set.
        rows (`IndexedRows`): where they come from.
        number (`int`): of the set in the mixture; with `seed`, it decides the order.
        seed (`int`): of the run.
        share (`Share`): which part is read.
    """

    def __init__(self, name: str, rows, number: int, seed: int, share: Share):
        self.name, self.rows, self.number, self.seed, self.share, self.taken = name, rows, number, seed, share, 0
        self._pass, self._order = -1, np.empty(0, int)

    def next(self) -> Row | Lost:
        size = len(self.rows)
        epoch, place = divmod(self.share.reader + self.taken * self.share.readers, size)
        self.taken += 1
        if epoch != self._pass:
            key = as_number(f"{self.seed} {self.number} {epoch}")
            self._pass, self._order = epoch, np.random.default_rng(key).permutation(size)
        index = int(self._order[place])
        row = self.rows.draw(index, self.seed, epoch)
        return _with_images(number_row(row, index, epoch, source=f"{self.name}, row {index}"))

    def state_dict(self) -> dict:
        return {"taken": self.taken}

    def load_state_dict(self, state: dict) -> None:
        self.taken = state["taken"]


class StreamReader:
    """
    Samples of a stream, shuffled block by block.

    `datasets` shuffles in a buffer that it does not keep: what is in it is lost to a run that resumes. A block is read
    again instead, and shuffled in the same way.

    Args:
        name, number, seed, share: as in [`RowReader`].
        rows (`StreamedRows`): the stream.
        buffer (`int`): samples of a block.
    """

    def __init__(self, name: str, rows, number: int, seed: int, share: Share, buffer: int):
        self.name, self.rows, self.number, self.seed = name, rows, number, seed
        self.share, self.buffer = share, buffer
        self.taken, self._pass, self._state = 0, 0, None
        self._stream: datasets.IterableDataset | None = None
        self._iterator: Iterator[Row] | None = None

    def _begin(self) -> Iterator[Row]:
        seed = f"{self.seed} {self.number} {self._pass}"
        rows = self.rows.stream(seed)
        refuse_too_few_shards(self.name, rows.num_shards, self.share.ranks, self.share.readers // self.share.ranks)
        rows = rows.map(_shuffled, batched=True, batch_size=self.buffer, with_indices=True, fn_kwargs={"seed": seed})
        # The part of this process; `datasets` shares it out between the workers by itself.
        if rows.num_shards < self.share.ranks:
            self._stream = split_dataset_by_node(rows, self.share.rank, self.share.ranks)  # by samples
        else:
            self._stream = rows.shard(self.share.ranks, self.share.rank)
        if self._state is not None:
            self._stream.load_state_dict(self._state)
        return iter(self._stream)

    def next(self) -> Row | Lost:
        if self._iterator is None:
            self._iterator = self._begin()
        row = next(self._iterator, None)
        if row is None:
            self._pass, self._state = self._pass + 1, None
            self._iterator = self._begin()
            row = next(self._iterator, None)
        if row is None:
            raise ValueError(f"{self.name} has no rows.")
        number = self.share.reader + self.taken * self.share.readers
        self.taken += 1
        if why := row.pop("broken", None):
            return Lost(why, row["source"])
        return _with_images(number_row(row, number, source=f"{self.name}, row {number}"))

    def state_dict(self) -> dict:
        rows = self._stream.state_dict() if self._stream is not None else None
        return {"taken": self.taken, "pass": self._pass, "rows": rows or self._state}

    def load_state_dict(self, state: dict) -> None:
        self.taken, self._pass, self._state = state["taken"], state["pass"], state["rows"]


def as_number(seed: str) -> int:
    return random.Random(seed).getrandbits(32)


def _shuffled(block: Mapping[str, list], indices: list[int], seed: str) -> dict[str, list]:
    order = list(range(len(indices)))
    random.Random(f"{seed} {indices[0]}").shuffle(order)
    return {name: [column[index] for index in order] for name, column in block.items()}


def _with_images(row: Row) -> Row | Lost:
    """A row with its images decoded, or the reason why it has none."""
    try:
        images = [load_image(image) for image in row_images(row)]
    except FileNotFoundError:
        return Lost("missing image", row["source"])
    except ValueError:
        return Lost("damaged image", row["source"])
    return replace_images(row, images)
