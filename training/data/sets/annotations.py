"""Annotation files, read row by row, each row with its place in the file."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from minigpt4.checkpoints.strangers import read_json, read_json_rows


# The content of a row, and with its place, which errors name and random choices depend on.
Annotation = Mapping[str, Any]
PlacedAnnotation = tuple[str, Annotation]


def read_list(*paths: Path) -> Iterator[PlacedAnnotation]:
    """The rows of files that are a list, which are read as they are asked for: one file has millions."""
    for path in paths:
        rows = read_json_rows(path)
        yield from placed(path, read_json(path) if rows is None else rows)


def read_key(path: Path, key: str) -> Iterator[PlacedAnnotation]:
    """The rows of a file that is an object with the list under `key`."""
    content = read_json(path)
    if not isinstance(content, Mapping) or key not in content:
        raise ValueError(f"{path} is not an object with a list {key!r}, as published: is it another file?")
    yield from placed(path, content[key])


def placed(path: Path, rows: Iterable) -> Iterator[PlacedAnnotation]:
    """
    Each row with its file and number, from 1.

    Raises:
        ValueError: it is not a list.
    """
    if not isinstance(rows, list | Iterator):
        raise ValueError(
            f"{path} contains a {type(rows).__name__}, not a list of rows as published: is it another file?"
        )
    for number, row in enumerate(rows, start=1):
        yield f"{path.name}, row {number}", row


# What a field may hold, and how an error calls it.
TEXT, NUMBER, KEY = "a text", "a number", "a text or a number"
TEXTS, NUMBERS, LIST = "a list of texts", "a list of numbers", "a list"
_ONE: dict[str, tuple[type, ...]] = {TEXT: (str,), NUMBER: (int, float), KEY: (str, int)}
_MANY: dict[str, tuple[type, ...]] = {TEXTS: (str,), NUMBERS: (int, float), LIST: (object,)}


def check_fields(row: Any, fields: Mapping[str, str]) -> str | None:
    """What is wrong with a row that must have these fields, each of its kind; `None` where nothing is."""
    if not isinstance(row, Mapping):
        return f"is a {type(row).__name__}, not an object with fields"
    for name, kind in fields.items():
        if name not in row:
            return f"has no {name!r}, only {', '.join(map(str, row)) or 'nothing'}"
        value = row[name]
        if kind in _ONE:
            fits = isinstance(value, _ONE[kind])
        else:
            fits = isinstance(value, list) and all(isinstance(one, _MANY[kind]) for one in value)
            fits = fits and (bool(value) or kind == LIST)
        if not fits:
            return f"has {value!r:.60} as its {name!r}, not {kind}"
    return None
