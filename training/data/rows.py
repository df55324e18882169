"""The one interface for rows: folders, lists, published sets, shards, streams and mixtures all implement it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, ClassVar

import datasets
import torch
from torch.utils.data import Dataset

from minigpt4.training.row import Row, number_row

from .readers import RowReader, Share, StreamReader, as_number
from .set_report import SetReport


class Rows(ABC):
    """
    Rows to train or evaluate on. [`as_rows`] wraps whatever a user passes.

    Attributes:
        length (`int`, *optional*): the number of rows; `None` for streams and mixtures.
        num_shards (`int`): the files of a stream, which are distributed over its readers.
        counts_lost (`bool`): whether training skips and counts unreadable rows, up to `max_broken`, or stops.
        report ([`SetReport`]): the rows that were unusable when the data was opened.
    """

    num_shards: int = 1
    counts_lost: ClassVar[bool] = False
    report: SetReport = SetReport()

    @property
    def length(self) -> int | None:
        return None

    @abstractmethod
    def numbered(self, seed: int = 0, drawn_anew: bool = True) -> Any:
        """The rows as `Trainer` reads them, with numbers and epochs. Random choices depend on `seed`, and with `drawn_anew` on
        the epoch; rows to evaluate on stay the same."""

    @abstractmethod
    def each_once(self, share: Share) -> Iterator[Row]:
        """The rows of one reader. All readers together get each row exactly once."""

    def open(self, name: str, number: int, seed: int, share: Share, buffer: int) -> RowReader | StreamReader:
        """A share of the rows as part of a mixture: endless, shuffled in each pass and resumable. See [`RowReader`] and
        [`StreamReader`] for the arguments; a `ValueError` if the rows cannot be part of a mixture."""
        raise ValueError(
            f"{name} cannot be part of a mixture: use rows with a length, a datasets.IterableDataset or Shards."
        )

    def preview(self, seed: int = 0) -> Iterator[Row]:
        """The rows as they are trained on, for showing the first of them."""
        return iter(self.numbered(seed))

    def __iter__(self) -> Iterator[Row]:
        return self.each_once(Share(0, 1, 0, 1))


class IndexedRows(Rows, Dataset):
    """Rows with a length, each made on access. Subclasses define `__len__` and `draw`."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def draw(self, index: int, seed: int, epoch: int) -> Row:
        """A row with its random choices made, which depend on nothing but the arguments."""

    @property
    def length(self) -> int:
        return len(self)

    def __getitem__(self, index: int) -> Row:
        return self.draw(index, seed=0, epoch=0)

    def numbered(self, seed: int = 0, drawn_anew: bool = True) -> "NumberedRows":
        return NumberedRows(self, seed, drawn_anew)

    def each_once(self, share: Share) -> Iterator[Row]:
        return (self[index] for index in range(share.reader, len(self), share.readers))

    def open(self, name: str, number: int, seed: int, share: Share, buffer: int) -> RowReader:
        return RowReader(name, self, number, seed, share)


class NumberedRows(Dataset):
    """Rows with a length as `Trainer` reads them. Their numbers appear in errors, and make a resumed run draw the same."""

    def __init__(self, rows: IndexedRows, seed: int, drawn_anew: bool):
        self.rows, self.seed, self.drawn_anew = rows, seed, drawn_anew
        self._epoch = torch.zeros((), dtype=torch.long).share_memory_()  # workers that stay for several epochs see it

    def set_epoch(self, epoch: int) -> None:
        if self.drawn_anew:  # accelerate counts the passes of an evaluation loader that stays, too
            self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        epoch = int(self._epoch)
        return number_row(self.rows.draw(index, self.seed, epoch), index, epoch)

    def __iter__(self) -> Iterator[Row]:
        return (self[index] for index in range(len(self)))


class StreamedRows(Rows):
    """Rows that are read sequentially from files. Subclasses define `stream` and `num_shards`."""

    @abstractmethod
    def stream(self, seed: str) -> datasets.IterableDataset:
        """Each row once, with the files shuffled by `seed`."""

    def numbered(self, seed: int = 0, drawn_anew: bool = True) -> datasets.IterableDataset:
        return self.stream(str(seed)).map(number_row, with_indices=True)

    def open(self, name: str, number: int, seed: int, share: Share, buffer: int) -> StreamReader:
        return StreamReader(name, self, number, seed, share, buffer)


class _ListedRows(IndexedRows):
    """A list, a map-style dataset of torch, or a `datasets.Dataset`."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def draw(self, index: int, seed: int, epoch: int) -> Row:
        return self.rows[index]


class _ForeignStream(Rows):
    """An iterable dataset of torch, which `Trainer` reads unchanged."""

    def __init__(self, rows):
        self.rows = rows

    def numbered(self, seed: int = 0, drawn_anew: bool = True):
        return self.rows

    def each_once(self, share: Share) -> Iterator[Row]:
        return islice(self.rows, share.rank, None, share.ranks)  # it shares itself out between workers


class _DatasetsStream(_ForeignStream, StreamedRows):
    """A `datasets.IterableDataset`, numbered as in epoch 0 in all epochs."""

    @property
    def num_shards(self) -> int:  # type: ignore[override]
        return self.rows.num_shards

    def stream(self, seed: str) -> datasets.IterableDataset:
        return self.rows.shuffle(seed=as_number(seed), buffer_size=1, max_buffer_input_shards=1)

    def numbered(self, seed: int = 0, drawn_anew: bool = True) -> datasets.IterableDataset:
        return self.rows.map(number_row, with_indices=True)  # in their own order


def as_rows(rows, report: SetReport | None = None) -> Rows:
    """
    Wrap rows of any kind in the one interface.

    Args:
        rows ([`Rows`], list, `Dataset` of torch or of `datasets`, or a stream of either): samples to train or evaluate on.
        report ([`SetReport`], *optional*): what is known of unusable rows.
    """
    if isinstance(rows, Rows):
        return rows
    if isinstance(rows, datasets.IterableDataset):
        wrapped: Rows = _DatasetsStream(rows)
    else:
        wrapped = _ListedRows(rows) if hasattr(rows, "__len__") else _ForeignStream(rows)
    if report is not None:
        wrapped.report = report
    return wrapped


def number_rows(rows, seed: int = 0, drawn_anew: bool = True):
    """[`Rows.numbered`] of rows of any kind, or of several sets to evaluate on by name; `None` for `None`."""
    if rows is None:
        return None
    if isinstance(rows, Mapping):
        return {name: number_rows(each, seed, drawn_anew) for name, each in rows.items()}
    return as_rows(rows).numbered(seed, drawn_anew)
