"""Untrusted files: reading JSON, and the names in them: printed, of tensors, of shards and of images."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


PIECE = 2**20  # characters of a file that are read at once


class OutsideError(ValueError):
    """A file names an image outside its folder."""


def read_json(path: Path) -> Any:
    """
    The content of a JSON file.

    Raises:
        ValueError: it is not valid JSON.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return json.load(file)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error


def read_json_rows(path: Path) -> Iterator[Any] | None:
    """
    The rows of a JSON file that is a list, one by one, without ever holding all of them; `None` where it is none.

    Raises (while the rows are read):
        ValueError: it is not valid JSON.
    """
    with path.open("rb") as file:
        if file.read(1024).lstrip()[:1] != b"[":
            return None
    return _rows(path)


def _rows(path: Path) -> Iterator[Any]:
    decode, blanks = json.JSONDecoder().raw_decode, re.compile(r"[ \t\n\r]*")

    def behind_blanks(text: str, at: int) -> int:
        return blanks.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too

    number, piece = 1, PIECE
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(piece)
            at = behind_blanks(text, behind_blanks(text, 0) + 1)
            mark, end = text[at : at + 1], at
            while mark != "]":
                try:
                    row, end = decode(text, at)
                    end = behind_blanks(text, end)
                    mark = text[end]
                    if mark not in ",]":  # a number may go on in the next piece
                        raise ValueError("there is no comma behind it")
                except (ValueError, IndexError):
                    if not (more := file.read(piece)):
                        raise
                    text, piece = text[at:] + more, 2 * piece
                    at = end = behind_blanks(text, 0)
                    mark = text[at : at + 1] if number == 1 else ""  # an empty list
                    continue
                yield row
                number, piece, at = number + 1, PIECE, behind_blanks(text, end + 1)
            if text[end + 1 :].strip() or file.read().strip():
                raise ValueError("there is more behind the list")
    except IndexError as error:
        raise ValueError(f"{path} is not valid JSON: it ends in row {number}") from error
    except (ValueError, RecursionError) as error:
        what = getattr(error, "msg", error)  # places are those in a piece
        raise ValueError(f"{path} is not valid JSON: {what} (row {number})") from error


def inside(path: str) -> str:
    """
    The path of an image as a file names it, unchanged.

    Raises:
        OutsideError: it is absolute, or climbs with `..`.
    """
    parts = path.replace("\\", "/").split("/")
    if path[:1] in ("/", "\\") or path[1:2] == ":" or ".." in parts or "\0" in path:
        raise OutsideError(
            f"names the image {path!r}, which leaves its folder: image paths are relative, without '..'."
        )
    return path


def read_weight_map(index: Path) -> dict[str, str]:
    """
    Which shard holds each tensor, according to an index.

    Args:
        index (`Path`): such as `model.safetensors.index.json`.

    Raises:
        ValueError: it is not an index, or names files in other folders.
    """
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{index} is not an index of weights: download it again.") from error
    if not isinstance(weight_map, dict):
        raise ValueError(
            f"{index} is not an index of weights, its weight_map is a {type(weight_map).__name__}: download it again."
        )
    refuse_strange_keys(weight_map, index)
    for name in weight_map.values():
        if not isinstance(name, str) or not name:
            raise ValueError(f"{index} is not an index of weights, it names {name!r} as a file: download it again.")
        if Path(name).name != name or name == "..":
            raise ValueError(f"{index} points outside of its folder, to {name!r}: do not trust this folder.")
    return weight_map


def printable(text: str) -> str:
    """A line with its control characters escaped: a name in a file must not be a command to the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def refuse_strange_keys(keys: Iterable[object], file: Path) -> None:
    """
    Raises:
        ValueError: a key is not text, or has control characters.
    """
    for key in keys:
        if not isinstance(key, str):
            raise ValueError(f"{file} holds {key!r} as a tensor name, which is not text: give a file of weights.")
        if not key.isprintable():
            raise ValueError(f"{file} holds the name {key!r}, with control characters: do not trust this file.")
