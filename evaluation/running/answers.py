"""The answers of a run on disk: appended as they come, so that a run that was killed goes on."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from minigpt4.checkpoints.journal import Journal, read_lines


Row = dict[str, Any]


class AnswerFiles:
    """
    The answers to one task, in files of JSON lines: one for each process of the run.

    The first line of each is what the answers depend on; answers of another model or with other settings are refused.

    Args:
        folder (`Path`): where the files are.
        task (`str`): the task's name.
        settings (`Mapping`): what the answers depend on.
        process (`int`, defaults to 0): the number of this process.
    """

    def __init__(self, folder: Path, task: str, settings: Mapping[str, Any], process: int = 0) -> None:
        self.folder, self.task = folder, task
        self.settings = json.loads(json.dumps(settings))
        self.file = folder / f"{task}.answers-{process}.jsonl"
        self._journal: Journal | None = None

    def read(self) -> dict[str, Row]:
        """
        All answers so far, of all processes, by the id of their sample; the newest of each.

        Raises:
            ValueError: a file is not of this run.
        """
        rows: dict[str, Row] = {}
        for file in sorted(self.folder.glob(f"{self.task}.answers-*.jsonl")):
            settings, *lines = list(read_lines(file, whole=False)) or [self.settings]
            if settings != self.settings:
                raise ValueError(
                    f"{file} has answers of another run ({_difference(settings, self.settings)}): remove it, or give another "
                    "--output."
                )
            rows |= {line["id"]: line for line in lines}
        return rows

    def append(self, rows: Iterable[Row]) -> None:
        """Add answers to the file of this process."""
        if self._journal is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._journal = Journal(self.file)
            if not self.file.exists() or not self.file.stat().st_size:
                self._journal.write([self.settings])
        self._journal.write(rows)


def _difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    name = next(name for name in {**theirs, **ours} if theirs.get(name) != ours.get(name))
    return f"{name} {theirs.get(name)!r}, not {ours.get(name)!r}"
