"""Rows to train on: drawn scenes, a folder of your own, or any set with images and text or messages."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import datasets
import torch
from accelerate import PartialState
from rich.console import Console
from torch.utils.data import Dataset

from minigpt4.processing.image_loading import extensions
from minigpt4.training.arguments import DataArguments, SetArguments
from minigpt4.training.sequences.collation import row_images

from .mixtures import MixedSet, Mixture
from .sets import SETS, ImageFolder, OutsideError, SetReport, SetRows, open_set
from .shards import Shards, is_shards


def _scenes(detailed: bool) -> Callable[[str, int], Dataset]:
    def read(split: str, count: int) -> Dataset:
        from minigpt4.training.nano.alignment import DrawnScenes

        return DrawnScenes(f"recipe {split}", count, detailed=detailed)

    return read


# Data that is known by name: a function of the split and the number of rows.
READERS: dict[str, Callable[[str, int], Dataset]] = {
    "scene-captions": _scenes(detailed=False),
    "scene-descriptions": _scenes(detailed=True),
}
DRAWN_ROWS = 3500


class NumberedRows(Dataset):
    """
    Rows of a data set, each with its number as `row` and the epoch it is read in as `epoch`.

    The numbers name rows in errors, and decide what else is drawn for a row, so that a run which goes on draws the same.

    Args:
        rows: a data set with a length.
        seed (`int`, *optional*, defaults to 0): decides what rows with choices of their own draw.
        drawn_anew (`bool`, *optional*, defaults to `True`): in each epoch; rows to evaluate on must stay what they are.
    """

    def __init__(self, rows, seed: int = 0, drawn_anew: bool = True):
        self.rows, self.seed, self.drawn_anew = rows, seed, drawn_anew
        self._epoch = torch.zeros((), dtype=torch.long).share_memory_()  # workers that stay for several epochs see it

    @property
    def epoch(self) -> int:
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        if self.drawn_anew:  # accelerate counts the passes of an evaluation loader that stays, too
            self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict:
        row = self.rows.draw(index, self.seed, self.epoch) if isinstance(self.rows, SetRows) else self.rows[index]
        return {**row, "row": index, "epoch": self.epoch}


def number_rows(rows, seed: int = 0, drawn_anew: bool = True):
    """[`NumberedRows`] of a data set with a length; streams of `datasets` get the numbers of epoch 0 always. A mixture
    numbers its rows itself."""
    if isinstance(rows, Mapping):  # several sets to evaluate on, by name
        return {name: number_rows(each, seed, drawn_anew) for name, each in rows.items()}
    if isinstance(rows, datasets.IterableDataset):
        return rows.map(lambda row, index: {**row, "row": index, "epoch": 0}, with_indices=True)
    return NumberedRows(rows, seed, drawn_anew) if hasattr(rows, "__len__") else rows


def load_train_rows(data: DataArguments):
    """The rows that a recipe trains on, see [`load_rows`]; streams, and several sets, as a [`Mixture`]."""
    named = named_data(data)
    if isinstance(named, str):
        rows = load_rows(named, data, data.data_split, data.data_rows)
        return rows if hasattr(rows, "__len__") else _mix([MixedSet(named, rows)], data)
    return _mix([_load_set(entry, data) for entry in named], data)


def named_data(data: DataArguments) -> str | list:
    """What a recipe trains on, as it says it; an error where it says nothing."""
    if not data.data:
        raise ValueError(
            "The recipe names no data: say --set data=FOLDER, the name of a set on the Hub, or one of "
            f"{', '.join(READERS)}."
        )
    return data.data


def _mix(sets: Sequence[MixedSet], data: DataArguments) -> Mixture:
    return Mixture(sets, buffer=data.shuffle_buffer, max_broken=data.max_broken)


def _load_set(entry: Mapping, data: DataArguments) -> MixedSet:
    each, rows = load_entry(entry, data)
    limit = None if each.max_broken is None else float(each.max_broken)
    return MixedSet(each.name, rows, float(each.ratio), each.batch_size and int(each.batch_size), limit)


def load_entry(entry: Mapping, data: DataArguments, report: SetReport | None = None) -> tuple:
    """One set of the list that `data` may be: what is said of it, as [`SetArguments`], and its rows. See [`load_rows`]."""
    known = [field.name for field in fields(SetArguments)]
    if not isinstance(entry, Mapping) or "name" not in entry or set(entry) - set(known):
        raise ValueError(f"data lists {entry!r}: each set has a name, and may have {', '.join(known[1:])}.")
    each = SetArguments(**entry)
    split = each.split or data.data_split
    own = replace(
        data,
        data_config=each.config or data.data_config,
        data_columns=each.columns or data.data_columns,
        max_broken=data.max_broken if each.max_broken is None else float(each.max_broken),
    )
    return each, load_rows(each.name, own, split, each.rows or data.data_rows, report)


def load_eval_rows(data: DataArguments):
    """The rows that a recipe evaluates on, or `None`; those of a stream in memory, undecoded. See [`load_rows`]."""
    if not data.eval_data:
        return None
    if not isinstance(data.eval_data, str) or is_shards(data.eval_data):
        raise ValueError(f"eval_data is {data.eval_data!r}: name one set with an end, no shards and no list.")
    rows = load_rows(data.eval_data, data, data.eval_split, data.eval_rows)
    # Processes can share out evenly only what has a length.
    return list(rows) if isinstance(rows, datasets.IterableDataset) else rows


def load_rows(name: str, data: DataArguments, split: str, count: int | None = None, report: SetReport | None = None):
    """
    Read a data set.

    Args:
        name (`str`): a name of `READERS` or of [`minigpt4.training.data.sets.SETS`], a folder, a `.json` file in LLaVA's form,
            webdataset shards (`.tar`), or the name of a set on the Hub.
        data (`DataArguments`): how to read it.
        split (`str`): which part of it; folders without parts have `train` only.
        count (`int`, *optional*): only so many rows.
        report ([`SetReport`], *optional*):
            Gets every row of a set or folder that cannot be used, whatever `max_broken` says; without it, more of them
            than that allows are refused, and in a folder the first.

    Returns:
        `Dataset`, `datasets.Dataset`, `datasets.IterableDataset` or [`Shards`]: its rows have `text` or `messages`, and
        `image` or `images` in any form that the processor takes.

    Raises:
        FileNotFoundError: an image that `metadata` names is not there.
        ValueError: there is no such data, or it lacks a column.
    """
    if count is not None and count < 1:
        raise ValueError(f"Of {name} {count} rows are asked for: say 1 at least, or leave the number out for all.")
    if name in READERS:
        return READERS[name](split, count or DRAWN_ROWS)
    if is_shards(name):
        return _open_shards(name, data, split, count)
    if name in SETS or name.endswith(".json"):
        return _open_set(name, data, split, count, report)
    rows = _read(name, data, split, report)
    for ours, theirs in (data.data_columns or {}).items():
        if theirs not in rows.column_names:
            raise ValueError(f"{name} has no column {theirs!r}: it has {', '.join(rows.column_names)}.")
        rows = rows.rename_column(theirs, ours)
    _check_columns(name, rows.column_names)
    if count is not None:
        rows = rows.take(count)
    # Images stay as files until the processor reads them: its errors name them, and it refuses decompression bombs.
    rows = _undecoded(rows)
    return _with_their_images(rows) if report and report.unusable else rows


def _open_shards(name: str, data: DataArguments, split: str, count: int | None) -> Shards:
    if split != "train":
        raise ValueError(f"{name} has no split {split!r}: shards are trained on whole, as 'train'.")
    if count is not None or data.data_columns:
        raise ValueError(
            f"{name} is read whole, without an end: leave data_rows and data_columns out, max_steps says how much."
        )
    root = "" if "://" in name or Path(name).is_absolute() else data.data_root
    return Shards(f"{root.rstrip('/')}/{name}" if root else name)


def _open_set(name: str, data: DataArguments, split: str, count: int | None, report: SetReport | None) -> SetRows:
    if split != "train":
        raise ValueError(f"{name} has no split {split!r}: it is read whole, as 'train'.")
    rows = open_set(name, data.data_root, data.max_broken if report is None else 1.0)
    if report is not None:
        report.add(rows.report)
    elif len(rows) < rows.report.read and PartialState().is_main_process:
        Console(stderr=True).print(f"{name}: {rows.report}", soft_wrap=True, markup=False, highlight=False)
    return rows if count is None else rows.take(count)


def _read(name: str, data: DataArguments, split: str, report: SetReport | None):
    folder = Path(name)
    if (folder / "dataset_info.json").is_file() or (folder / "dataset_dict.json").is_file():
        rows = datasets.load_from_disk(name)
        if isinstance(rows, Mapping) and split not in rows:
            raise ValueError(f"{name} has no split {split!r}: it has {', '.join(rows)}.")
        return rows[split] if isinstance(rows, Mapping) else rows
    if folder.is_dir():
        found = _check_folder(folder)
        if report is not None:
            report.add(found)
        elif found.missing:
            raise FileNotFoundError(f"{found.missing[0]}.")
        elif found.broken:
            raise ValueError(f"{found.broken[0]}.")
        try:
            return datasets.load_dataset("imagefolder", data_dir=name, split=split, streaming=data.streaming)
        except datasets.exceptions.DatasetGenerationError as error:
            raise ValueError(f"{name} cannot be read: {error.__cause__}") from error
    if folder.is_file():
        raise ValueError(
            f"{name} is a file: give the folder of the images, with a metadata.jsonl or metadata.csv in it."
        )
    try:
        return datasets.load_dataset(name, data.data_config, split=split, streaming=data.streaming)
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{name} is no folder here, and cannot be read from the Hub: {reason[0]}") from error


def _check_folder(folder: Path) -> SetReport:
    """What `datasets` says late, or not at all: no metadata, images that are not there, images that nothing names."""
    files = [file for kind in ("metadata.jsonl", "metadata.csv", "metadata.parquet") for file in folder.rglob(kind)]
    if not files:
        raise ValueError(
            f"{folder} has no metadata.jsonl or metadata.csv: write one, with the columns file_name and text, "
            'for example {"file_name": "cat.jpg", "text": "A cat on a mat."} on each line.'
        )
    named, report = set(), SetReport()
    for file in files:
        images = ImageFolder(file.parent)
        for number, names in enumerate(map(_image_names, _lines(file)), start=1):
            report.read += 1
            if not names:
                report.broken.append(
                    f"{file}, row {number}, names no image: say file_name or file_names, with one at least"
                )
            try:
                gone = [name for name in names if not images.has(name)]
            except OutsideError as error:
                raise OutsideError(f"{file}, row {number}, {error}") from None
            if gone:
                report.missing.append(
                    f"{file}, row {number}, names {gone[0]!r}, but there is no {file.parent / gone[0]}"
                )
            named |= {file.parent / name for name in names}
    known = extensions()
    found = {file for file in folder.rglob("*") if file.suffix.lower() in known}
    if left := sorted(found - named):
        which = left[0].relative_to(folder)
        Console(stderr=True).print(f"{len(left)} images in {folder} are in no row of its metadata, first {which}.")
    return report


def _lines(file: Path) -> Iterable[dict]:
    if file.suffix == ".parquet":
        return datasets.Dataset.from_parquet(str(file))
    with file.open(encoding="utf-8-sig", newline="") as text:  # spreadsheets put a mark in front
        if file.suffix == ".csv":
            return list(csv.DictReader(text))
        lines = []
        for number, line in enumerate(text, start=1):
            try:
                if line.strip():
                    lines.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise ValueError(f"{file}, line {number}, is no JSON: {error}") from error
        return lines


def _image_names(line: Mapping) -> list[str]:
    names = line.get("file_names", line.get("file_name"))
    return [names] if isinstance(names, str) else list(names) if isinstance(names, Iterable) else []


def _check_columns(name: str, columns: list[str]) -> None:
    has = f"{name} has the columns {', '.join(columns)}"
    if not {"image", "images"} & set(columns):
        raise ValueError(f"{has}: 'image' or 'images' is missing. Another name: --set 'data_columns={{image: NAME}}'.")
    if not {"text", "messages"} & set(columns):
        raise ValueError(f"{has}: 'text' or 'messages' is missing. Another name: --set 'data_columns={{text: NAME}}'.")


def _with_their_images(rows):
    """The rows of a folder that name images which are there."""
    # What is there may change, and a cache would not see it.
    afresh = {} if isinstance(rows, datasets.IterableDataset) else {"load_from_cache_file": False}
    return rows.filter(_has_images, **afresh)


def _has_images(row: Mapping) -> bool:
    images = row_images(row)
    return bool(images) and all(Path(image).is_file() for image in images)


def _undecoded(rows):
    features = rows.features or {}
    for column, feature in features.items():
        if isinstance(feature, datasets.Image):
            rows = rows.cast_column(column, datasets.Image(decode=False))
        elif isinstance(getattr(feature, "feature", None), datasets.Image):
            rows = rows.cast_column(column, datasets.List(datasets.Image(decode=False)))
    return rows
