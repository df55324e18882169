"""The state of a curation: a row per image, a column per step, saved as parquet, and each step as JSONL, too."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from minigpt4.checkpoints.journal import Journal, read_lines
from minigpt4.checkpoints.writing import unfinished_file

from .recipe import STEPS


TABLE = "table.parquet"
# What a step leaves in a row. `details` is JSON: what only this step knows.
ENTRY = ("text", "model", "prompt", "time", "decision", "reason", "details")
WORKING = STEPS[:-1]  # export leaves nothing in the table
DROP = "drop"

Entry = dict[str, Any]
Row = dict[str, Any]


def entry(text: str | None, decision: str, *, model: str = "", prompt: str = "", reason: str = "", **details) -> Entry:
    """
    What a step leaves in a row.

    Args:
        text (`str`): after the step; `None` where the step leaves it as it was.
        decision (`str`): of the step: `drop` takes the row out.
        model (`str`, *optional*): that wrote the text, or who decided.
        prompt (`str`, *optional*): what the model was asked.
        reason (`str`, *optional*): for the decision.
        details: what only this step knows.
    """
    return {
        "text": text,
        "model": model,
        "prompt": prompt,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "decision": decision,
        "reason": reason,
        "details": json.dumps(details, ensure_ascii=False) if details else None,
    }


def details(made: Entry | None) -> dict[str, Any]:
    """What only this step knows."""
    return json.loads((made or {}).get("details") or "{}")


@dataclass
class Count:
    """What a step has done: rows in and out, and the rows by decision and reason."""

    into: int = 0
    out: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    waiting: int = 0

    def __str__(self) -> str:
        parts = [f"{self.into} in, {self.out} out"]
        parts += [f"{number} {name}" for name, number in self.decisions.most_common()]
        parts += [f"{self.waiting} not done yet"] if self.waiting else []
        return "; ".join(parts)


class Table:
    """
    Rows with an `id`, an `image` (a path under the root of the pictures), its `source`, and an entry or `None` for each
    step.

    Args:
        folder (`Path`): where it is saved.
        rows (`Iterable[Row]`): all of them.
        steps (`Sequence[str]`, *optional*): of the recipe. A row that one of them has not done does not come to the next.
    """

    def __init__(self, folder: Path, rows: Iterable[Row], steps: Sequence[str] = ()) -> None:
        self.folder, self.steps = folder, {"generate", *steps}
        self.rows = [{**dict.fromkeys(WORKING), **row} for row in rows]
        self.by_id = {row["id"]: row for row in self.rows}

    @classmethod
    def open(cls, folder: Path, steps: Sequence[str] = ()) -> "Table":
        """
        The table as it was saved. What an interrupted step has written since is in `unsaved`.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it cannot be read.
        """
        import pyarrow
        import pyarrow.parquet

        file = folder / TABLE
        if not file.is_file():
            raise FileNotFoundError(f"{folder} has no {TABLE}: run generate first.")
        try:
            return cls(folder, pyarrow.parquet.read_table(file).to_pylist(), steps)
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"{file} cannot be read: {error}") from error

    def save(self) -> None:
        """Write the table, whole or not at all."""
        import datasets
        import pyarrow.parquet

        kinds: dict[str, Any] = {name: datasets.Value("string") for name in ENTRY}
        features = {name: datasets.Value("string") for name in ("id", "image", "source")}
        features |= dict.fromkeys(WORKING, kinds)
        rows = [{name: row.get(name) for name in features} for row in self.rows]
        self.folder.mkdir(parents=True, exist_ok=True)
        with unfinished_file(self.folder / TABLE) as part:
            dataset = datasets.Dataset.from_list(rows, features=datasets.Features(features))
            pyarrow.parquet.write_table(dataset.with_format("arrow")[:], part)

    # What a row has come to

    def reaches(self, row: Row, step: str) -> bool:
        """Whether the steps before have done the row, and none has dropped it."""
        before = [name for name in _before(step) if row[name] or name in self.steps]
        return all(row[name] and row[name]["decision"] != DROP for name in before)

    def arriving(self, step: str) -> list[Row]:
        """The rows that come to a step."""
        return [row for row in self.rows if self.reaches(row, step)]

    def text(self, row: Row, step: str) -> str | None:
        """The text with which a row comes to a step."""
        return next((row[b]["text"] for b in reversed(_before(step)) if row[b] and row[b]["text"] is not None), None)

    def count(self, step: str) -> Count:
        """What a step has done so far."""
        count = Count()
        for row in self.arriving(step):
            count.into += 1
            if (made := row[step]) is None:
                count.waiting += 1
                continue
            count.out += made["decision"] != DROP
            count.decisions[f"{made['decision']} ({made['reason']})" if made["reason"] else made["decision"]] += 1
        return count

    # While a step works

    def journal(self, step: str, process: int = 0) -> Journal:
        """Where a process writes what it has done of a step."""
        return Journal(self.folder / f"{step}.{process}.part")

    def unsaved(self, step: str) -> dict[str, dict]:
        """What an interrupted step has written: by id, the last line of each."""
        parts = sorted(self.folder.glob(f"{step}.*.part"))
        return {line["id"]: line for part in parts for line in read_lines(part, whole=False)}

    def settle(self, step: str, entries: Mapping[str, Entry | None]) -> None:
        """Put what a step has done into the table (`None`: taken back), and write it as JSONL."""
        for name, made in entries.items():
            if made is None:
                self.by_id[name][step] = None
                continue
            known, new = self.by_id[name][step], {key: made.get(key) for key in ENTRY}
            if known is None or {**known, "time": new["time"]} != new:  # decided again in the same way, it is not new
                self.by_id[name][step] = new
        self.save()
        self.write_jsonl(step)
        for part in self.folder.glob(f"{step}.*.part"):
            part.unlink()

    def clear(self, steps: Iterable[str]) -> None:
        """Forget what steps have done."""
        for step in steps:
            for row in self.rows:
                row[step] = None
            for left in (*self.folder.glob(f"{step}.*.part"), self.folder / f"{step}.jsonl"):
                left.unlink(missing_ok=True)
        self.save()

    # For other tools

    def write_jsonl(self, step: str) -> None:
        """A line for each row that has come to the step: its entry, and `before`, the text with which it came."""
        with unfinished_file(self.folder / f"{step}.jsonl") as part:
            journal = Journal(part)
            journal.write(
                {"id": row["id"], "image": row["image"], "before": self.text(row, step), **(row[step] or {})}
                for row in self.arriving(step)
            )

    def read_jsonl(
        self, step: str, file: Path, prompt: str = "", of_all_shards: bool = False
    ) -> Iterator[tuple[str, Entry]]:
        """
        What another tool has done of a step: lines with the `id` or the `image` of a row and its `text`, and what else an
        entry has. Rows that do not come to the step are passed over.

        Args:
            file (`Path`): JSONL.
            prompt (`str`): for lines that name none.
            of_all_shards (`bool`): there may be lines for rows of other tables.

        Raises:
            ValueError: a line names no row of the table, or has no text.
        """
        by_image = {row["image"]: row for row in self.rows}
        for number, line in enumerate(read_lines(file), start=1):
            where = f"{file}, line {number},"
            row = self.by_id.get(str(line["id"])) if "id" in line else by_image.get(str(line.get("image")))
            if row is None and of_all_shards:
                continue
            if row is None:
                raise ValueError(f"{where} is of no row: its id or image must be one of the table's.")
            if not self.reaches(row, step):
                continue
            unknown = [key for key in ENTRY if not isinstance(line.get(key), str | None)]
            if unknown:
                raise ValueError(f"{where} has a {unknown[0]} that is not text.")
            decision, text = line.get("decision") or "done", line.get("text")
            if text is None and (step == "generate" and decision != DROP):
                raise ValueError(f"{where} has no text.")
            made = entry(text, decision, prompt=prompt, reason=line.get("reason") or "")
            yield row["id"], made | {key: line[key] for key in ("model", "prompt", "time", "details") if line.get(key)}


def _before(step: str) -> tuple[str, ...]:
    return WORKING[: STEPS.index(step)]
