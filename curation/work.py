"""What a step works with: its rows batch by batch, and where it writes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from minigpt4.checkpoints.journal import Journal

from .recipe import Recipe
from .table import Entry, Row, Table


@dataclass
class Work:
    """
    What a step works with.

    Args:
        step (`str`): its name.
        section ([`Section`]): its part of the recipe.
        table ([`Table`]): with what the steps before it have left.
        root (`Path`): the folder of the pictures.
        known (`dict`): what it had written before it was interrupted: by id, the last line of each.
        journal ([`Journal`]): for what it does.
        recipe ([`Recipe`]): all of it.
        process, processes (`int`): which of how many processes this is.
        trust_remote_code (`bool`): run code that comes with a model.
        where (`Callable[[str], str]`, *optional*, defaults to `str`): from the name of a model to its folder or Hub id.
    """

    step: str
    section: Any
    table: Table
    root: Path
    known: dict[str, dict]
    journal: Journal
    recipe: Recipe
    process: int = 0
    processes: int = 1
    trust_remote_code: bool = False
    where: Callable[[str], str] = str

    def todo(self) -> list[Row]:
        """The rows that the step has not done."""
        rows = self.table.arriving(self.step)
        return [row for row in rows if row[self.step] is None and row["id"] not in self.known]

    def batches(self, size: int) -> Iterator[list[Row]]:
        """
        This process's share of the rows that are not done, batch by batch, with a progress bar.

        A batch is always made of the same rows: with others beside it, a row could get another answer.
        """
        rows = self.table.arriving(self.step)
        left = {row["id"] for row in self.todo()}
        batches = [rows[start : start + size] for start in range(0, len(rows), size)]
        mine = [batch for batch in batches[self.process :: self.processes] if any(row["id"] in left for row in batch)]
        with tqdm(
            total=sum(map(len, mine)), desc=self.step, unit="row", disable=None if self.process == 0 else True
        ) as bar:
            for batch in mine:
                yield [row for row in batch if row[self.step] is None]
                bar.update(len(batch))

    def write(self, entries: dict[str, Entry]) -> None:
        """Keep what was done of some rows."""
        self.journal.write({"id": name, **made} for name, made in entries.items())

    def device_map(self) -> Any:
        """Where this process loads a model."""
        if self.processes == 1:
            return "auto"
        from accelerate import PartialState

        return {"": PartialState().device}
