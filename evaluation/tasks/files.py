"""Files of the published evaluation sets, read strictly: a row that is not as published is an error that names it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from minigpt4.checkpoints.journal import read_lines
from minigpt4.checkpoints.strangers import inside, read_json


def existing(root: Path, *names: str) -> Path:
    """
    The first of `names` that is in `root`.

    Raises:
        FileNotFoundError: none of them is.
    """
    for name in names:
        if (root / name).exists():
            return root / name
    others = f" (or {', '.join(names[1:])})" if names[1:] else ""
    raise FileNotFoundError(f"{root} has no {names[0]}{others}: docs/evaluate.md lists the files of each task.")


def read_rows(path: Path, key: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """
    The rows of a JSON list, of a list under `key`, of an object by its keys, or of lines of JSON; each with its place, for
    errors.

    Raises:
        ValueError: a row is not an object.
    """
    content: Any
    if path.suffix == ".jsonl":
        content = list(read_lines(path))
    else:
        content = read_json(path)
        if key and isinstance(content, Mapping):
            content = content.get(key)
    if isinstance(content, Mapping):
        content = [{"id": name, **row} if isinstance(row, Mapping) else row for name, row in content.items()]
    if not isinstance(content, list):
        raise ValueError(f"{path} has no list of rows{f' {key!r}' if key else ''}, as published: is it another file?")
    for number, row in enumerate(content, 1):
        place = f"{path.name}, row {number}"
        if not isinstance(row, Mapping):
            raise ValueError(f"{place} is a {type(row).__name__}, not an object with fields: is it another file?")
        yield place, row


def field(row: Mapping[str, Any], place: str, *names: str) -> Any:
    """
    The value of the first of `names` that a row has.

    Raises:
        ValueError: it has none of them.
    """
    for name in names:
        if name in row:
            return row[name]
    raise ValueError(f"{place} has no {names[0]!r}, only {', '.join(map(str, row)) or 'nothing'}.")


def image(folder: Path, name: str, place: str) -> str:
    """
    Where the image is that a row names; whether it is there shows when it is read.

    Raises:
        ValueError: the name leaves the folder.
    """
    try:
        return str(folder / inside(str(name)))
    except ValueError as error:
        raise ValueError(f"{place} {error}") from error


class CocoImages:
    """
    COCO images by their numbers; their names have had several forms, such as `COCO_val2014_000000000042.jpg`.

    Args:
        root (`Path`): folder of all data.
        folders (`str`): where in it the images may be; the first that exists is taken.
    """

    def __init__(self, root: Path, *folders: str) -> None:
        self.folder = existing(root, *folders)
        names = (file.name for file in self.folder.iterdir())
        self.names = {int(name[-16:-4]): name for name in names if name[-16:-4].isdigit()}

    def __call__(self, number: int | str) -> str:
        return str(self.folder / self.names.get(int(number), f"{int(number):012}.jpg"))
