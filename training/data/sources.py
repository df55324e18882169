"""Rows to train on: drawn scenes, a folder of your own, or any set with images and text or messages."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import datasets
from accelerate import PartialState
from rich.console import Console

from minigpt4.checkpoints.journal import read_lines
from minigpt4.evaluation.scenes.boxed.wording import CHAT
from minigpt4.processing.image_formats import extensions
from minigpt4.processing.tasks import TASKS
from minigpt4.training.arguments import DataArguments, SetArguments
from minigpt4.training.row import Row, row_images

from .drawn import CONVERSATION, DrawnRequests, DrawnScenes
from .mixtures import MixedSet, Mixture
from .rows import Rows, as_rows
from .set_report import SetReport
from .sets import SETS, SHARD_SETS, ImageFolder, OutsideError, SetRows, open_set
from .shards import Shards, is_shards


# Drawn data, by name: from a seed and a number of rows to the rows.
SCENES: dict[str, Callable[[str, int], Rows]] = {
    "scene-captions": partial(DrawnScenes, detailed=False),
    "scene-descriptions": partial(DrawnScenes, detailed=True),
    **{f"boxed-{task}": partial(DrawnRequests, task=task) for task in (*TASKS, CHAT, CONVERSATION)},
    **{f"boxed-plain-{task}": partial(DrawnRequests, task=task, identifiers=False) for task in (*TASKS, CONVERSATION)},
    **{
        f"boxed-weak-{task}": partial(DrawnRequests, task=task, weak=True)
        for task in ("caption", "grounding", "refer", "identify")
    },
}
DRAWN_ROWS = 3500


def load_train_rows(data: DataArguments) -> Rows:
    """The rows that a recipe trains on, see [`load_rows`]; streams, and several sets, as a [`Mixture`]."""
    named = named_data(data)
    if isinstance(named, str):
        rows = load_rows(named, data, data.data_split, data.data_rows)
        return _mix([MixedSet(named, rows)], data) if rows.length is None else rows
    return _mix([_load_set(entry, data) for entry in named], data)


def named_data(data: DataArguments) -> str | list:
    """The `data` of a recipe; an error if it is not set."""
    if not data.data:
        raise ValueError(
            "The recipe has no data: use --set data=FOLDER, the name of a set on the Hub, or one of "
            f"{', '.join(SCENES)}."
        )
    return data.data


def _mix(sets: Sequence[MixedSet], data: DataArguments) -> Mixture:
    return Mixture(sets, buffer=data.shuffle_buffer, max_broken=data.max_broken)


def _load_set(entry: Mapping, data: DataArguments) -> MixedSet:
    each, rows = load_entry(entry, data)
    limit = None if each.max_broken is None else float(each.max_broken)
    return MixedSet(each.name, rows, float(each.ratio), each.batch_size and int(each.batch_size), limit)


def load_entry(entry: Mapping, data: DataArguments, keep_going: bool = False) -> tuple[SetArguments, Rows]:
    """One set of the list that `data` may be: its [`SetArguments`] and its rows. See [`load_rows`]."""
    known = [field.name for field in fields(SetArguments)]
    if not isinstance(entry, Mapping) or "name" not in entry or set(entry) - set(known):
        raise ValueError(
            f"Invalid entry in data, {entry!r}: each set needs a name, and may have {', '.join(known[1:])}."
        )
    each = SetArguments(**entry)
    split = each.split or data.data_split
    own = replace(
        data,
        data_config=each.config or data.data_config,
        data_columns=each.columns or data.data_columns,
        max_broken=data.max_broken if each.max_broken is None else float(each.max_broken),
    )
    return each, load_rows(each.name, own, split, each.rows or data.data_rows, keep_going)


def load_eval_rows(data: DataArguments) -> Rows | None:
    """The rows that a recipe evaluates on, or `None`; those of a stream in memory, undecoded. See [`load_rows`]."""
    if not data.eval_data:
        return None
    if not isinstance(data.eval_data, str) or is_shards(data.eval_data) or data.eval_data in SHARD_SETS:
        raise ValueError(f"eval_data must be one set with a length, not shards or a list (got {data.eval_data!r}).")
    rows = load_rows(data.eval_data, data, data.eval_split, data.eval_rows)
    # Processes can share out evenly only what has a length.
    return as_rows(list(rows)) if rows.length is None else rows


def load_rows(name: str, data: DataArguments, split: str, count: int | None = None, keep_going: bool = False) -> Rows:
    """
    Read a data set.

    Args:
        name (`str`): a name of `SCENES` or of `SETS` or `SHARD_SETS` in [`minigpt4.training.data.sets`], a folder, a `.json` file in LLaVA's form,
            webdataset shards (`.tar`), or the name of a set on the Hub.
        data (`DataArguments`): how to read it.
        split (`str`): which part of it; folders without parts have `train` only.
        count (`int`, *optional*): maximum number of rows.
        keep_going (`bool`, *optional*, defaults to `False`):
            Leave out all unusable rows, regardless of `max_broken`; otherwise more of them than that allows raise an
            error, and in a folder the first one does. The `report` of the result names them.

    Returns:
        [`Rows`]: with `text` or `messages`, and `image` or `images` in any form that the processor takes.

    Raises:
        FileNotFoundError: an image that `metadata` names is not there.
        ValueError: there is no such data, or it lacks a column.
    """
    if count is not None and count < 1:
        raise ValueError(f"data_rows for {name} must be at least 1 (got {count}); leave it out for all rows.")
    if name in SCENES:
        return SCENES[name](f"recipe {split}", count or DRAWN_ROWS)
    if is_shards(name) or name in SHARD_SETS:
        return _open_shards(name, data, split, count)
    if name in SETS or name.endswith(".json"):
        return _open_set(name, data, split, count, keep_going)
    rows, report = _read(name, data, split, keep_going)
    for ours, theirs in (data.data_columns or {}).items():
        if theirs not in rows.column_names:
            raise ValueError(f"{name} has no column {theirs!r}: it has {', '.join(rows.column_names)}.")
        rows = rows.rename_column(theirs, ours)
    _check_columns(name, rows.column_names)
    if count is not None:
        rows = rows.take(count)
    # Images stay as files until the processor reads them: its errors name them, and it refuses decompression bombs.
    rows = _undecoded(rows)
    if report.unusable:  # what is there may change, and a cache would not see it
        rows = rows.filter(_has_images, **({} if data.streaming else {"load_from_cache_file": False}))
    return as_rows(rows, report)


def _open_shards(name: str, data: DataArguments, split: str, count: int | None) -> Shards:
    if split != "train":
        raise ValueError(f"{name} has no split {split!r}: shards are trained on whole, as 'train'.")
    if count is not None or data.data_columns:
        raise ValueError(
            f"{name} is an endless stream: remove data_rows and data_columns, and limit the run with max_steps."
        )
    published = SHARD_SETS.get(name)
    files = published.shards if published else name
    root = "" if "://" in files or Path(files).is_absolute() else data.data_root
    return Shards(f"{root.rstrip('/')}/{files}" if root else files, published)


def _open_set(name: str, data: DataArguments, split: str, count: int | None, keep_going: bool) -> SetRows:
    if split != "train":
        raise ValueError(f"{name} has no split {split!r}: it is read whole, as 'train'.")
    rows = open_set(name, data.data_root, 1.0 if keep_going else data.max_broken)
    if not keep_going and len(rows) < rows.report.read and PartialState().is_main_process:
        Console(stderr=True).print(f"{name}: {rows.report}", soft_wrap=True, markup=False, highlight=False)
    return rows if count is None else rows.take(count)


def _read(name: str, data: DataArguments, split: str, keep_going: bool) -> tuple[Any, SetReport]:
    folder, report = Path(name), SetReport()
    if (folder / "dataset_info.json").is_file() or (folder / "dataset_dict.json").is_file():
        rows = datasets.load_from_disk(name)
        if isinstance(rows, Mapping) and split not in rows:
            raise ValueError(f"{name} has no split {split!r}: it has {', '.join(rows)}.")
        return rows[split] if isinstance(rows, Mapping) else rows, report
    if folder.is_dir():
        report = _check_folder(folder)
        if report.missing and not keep_going:
            raise FileNotFoundError(f"{report.missing[0]}.")
        if report.broken and not keep_going:
            raise ValueError(f"{report.broken[0]}.")
        try:
            return datasets.load_dataset("imagefolder", data_dir=name, split=split, streaming=data.streaming), report
        except datasets.exceptions.DatasetGenerationError as error:
            raise ValueError(f"{name} cannot be read: {error.__cause__}") from error
    if folder.is_file():
        raise ValueError(
            f"{name} is a file: give the folder of the images, with a metadata.jsonl or metadata.csv in it."
        )
    try:
        return datasets.load_dataset(name, data.data_config, split=split, streaming=data.streaming), report
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{name} is not a local folder, and cannot be read from the Hub: {reason[0]}") from error


def _check_folder(folder: Path) -> SetReport:
    """What `datasets` reports late or never: missing metadata, missing images, images without a row."""
    files = [file for kind in ("metadata.jsonl", "metadata.csv", "metadata.parquet") for file in folder.rglob(kind)]
    if not files:
        raise ValueError(
            f"{folder} has no metadata.jsonl or metadata.csv: write one, with the columns file_name and text, "
            'for example {"file_name": "cat.jpg", "text": "A cat on a mat."} on each line.'
        )
    named, report = set(), SetReport(must_be_whole=True)
    for file in files:
        images = ImageFolder(file.parent)
        for number, names in enumerate(map(_image_names, _lines(file)), start=1):
            report.read += 1
            if not names:
                report.broken.append(
                    f"{file}, row {number}, has no image: set file_name, or file_names with at least one"
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
    if file.suffix == ".jsonl":
        return read_lines(file)
    with file.open(encoding="utf-8-sig", newline="") as text:  # spreadsheets put a mark in front
        return list(csv.DictReader(text))


def _image_names(line: Mapping) -> list[str]:
    names = line.get("file_names", line.get("file_name"))
    return [names] if isinstance(names, str) else list(names) if isinstance(names, Iterable) else []


def _check_columns(name: str, columns: list[str]) -> None:
    has = f"{name} has the columns {', '.join(columns)}"
    if not {"image", "images"} & set(columns):
        raise ValueError(f"{has}: 'image' or 'images' is missing. Another name: --set 'data_columns={{image: NAME}}'.")
    if not {"text", "messages"} & set(columns):
        raise ValueError(f"{has}: 'text' or 'messages' is missing. Another name: --set 'data_columns={{text: NAME}}'.")


def _has_images(row: Row) -> bool:
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
