"""What a long run writes while it works: lines of JSON, of which a killed run loses at most the last one."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


class Journal:
    """
    A JSONL file that grows.

    Args:
        file (`Path`): it need not exist yet. A line that was cut off at its end is removed.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        if file.exists():
            content = file.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                os.truncate(file, whole)

    def write(self, lines: Iterable[dict[str, Any]]) -> None:
        """Append lines; they are on the disk when this returns."""
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        with self.file.open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def read_lines(file: Path, whole: bool = True) -> Iterator[dict[str, Any]]:
    """
    The lines of a JSONL file.

    Args:
        whole (`bool`, defaults to `True`): an invalid last line is an error, too; `False` for the file of a killed run.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is not a JSON object.
    """
    if not file.is_file():
        raise FileNotFoundError(f"There is no file {file}.")
    content = file.read_text(encoding="utf-8-sig", errors="surrogateescape")
    if not whole:
        content = content[: content.rfind("\n") + 1]
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{file}, line {number}, is not valid JSON: {error}") from error
        if not isinstance(value, dict):
            raise ValueError(f"{file}, line {number}, is not an object but a {type(value).__name__}.")
        yield value
