"""What one reviewer decides: row by row, saved at once, with undo, and with second looks at some rows."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from minigpt4.curation.recipe import Review
from minigpt4.curation.sources import picture_path
from minigpt4.curation.table import DROP, Entry, Row, details, entry
from minigpt4.curation.work import Work


KEEP, EDIT = "keep", "edit"


@dataclass(frozen=True)
class Shown:
    """
    What the reviewer sees.

    Args:
        id (`str`): of the row.
        picture (`Path`): a file.
        before (`str`): what the model said of it.
        text (`str`): what is to be decided about.
        second (`bool`): whether it is a second look.
    """

    id: str
    picture: Path
    before: str
    text: str
    second: bool


class Reviewing:
    """
    A review: which row is next, and what was decided. Several windows may show it; a decision names its row.

    Args:
        work ([`Work`]): of the step.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self.section: Review = work.section
        self.rows: list[Row] = work.table.arriving("review")
        saved = {row["id"]: row["review"] for row in self.rows if row["review"]}
        saved = dict(sorted(saved.items(), key=lambda pair: pair[1]["time"]))
        lines = {name: line for name, line in work.known.items() if any(row["id"] == name for row in self.rows)}
        self.made: dict[str, Entry] = {
            name: made for name, made in {**saved, **lines}.items() if not made.get("undone")
        }
        self._done = [*self.made, *(name for name in self.made if details(self.made[name]).get("second"))]

    @property
    def second_looks(self) -> list[str]:
        """The rows that are shown a second time, after all others."""
        count = math.ceil(self.section.double_check * len(self.rows))
        ranked = sorted(
            (row["id"] for row in self.rows), key=lambda name: sha256(f"{self.section.seed} {name}".encode()).digest()
        )
        chosen = {*ranked[:count]}
        return [row["id"] for row in self.rows if row["id"] in chosen]

    @property
    def progress(self) -> tuple[int, int]:
        """Decisions made, and wanted."""
        return len(self._done), len(self.rows) + len(self.second_looks)

    @property
    def agreement(self) -> tuple[int, int]:
        """See [`agreement`]."""
        return agreement(self.made.values())

    @property
    def current(self) -> Shown | None:
        """What is to be decided next."""
        first = next((row for row in self.rows if row["id"] not in self.made), None)
        if first is not None:
            return self._shown(first, second=False)
        looks = (name for name in self.second_looks if not details(self.made[name]).get("second"))
        name = next(looks, None)
        return None if name is None else self._shown(self.work.table.by_id[name], second=True)

    def decide(self, name: str, decision: str, text: str | None = None) -> bool:
        """
        Save a decision.

        Args:
            name (`str`): id of the row that was shown.
            decision (`str`): `keep`, `edit` or `drop`.
            text (`str`, *optional*): of an edit.

        Returns:
            `bool`: whether it was the row to decide about; nothing is saved otherwise.

        Raises:
            ValueError: the edited text is empty.
        """
        shown = self.current
        if shown is None or shown.id != name:
            return False
        if decision == EDIT:
            text = " ".join((text or "").split())
            if not text:
                raise ValueError("The text is empty: drop the row instead.")
            if text == shown.text:
                decision = KEEP
        if shown.second:  # blind, and without effect on the first decision
            made = self.made[name]
            known = {**details(made), "second": decision}
            new = entry(made["text"], made["decision"], model=made["model"], reason=made["reason"], **known)
        else:
            reason = "reviewer" if decision == DROP else ""
            new = entry(text if decision == EDIT else None, decision, model=self.section.reviewer, reason=reason)
        self._save(name, new)
        self._done.append(name)
        return True

    def undo(self) -> bool:
        """Take back the last decision; `False` where there is none."""
        if not self._done:
            return False
        name = self._done.pop()
        made = self.made[name]
        if known := details(made):  # of its second look
            del known["second"]
            self._save(
                name, entry(made["text"], made["decision"], model=made["model"], reason=made["reason"], **known)
            )
        else:
            del self.made[name]
            self.work.journal.write([{"id": name, "undone": True}])
        return True

    def _save(self, name: str, made: Entry) -> None:
        self.work.write({name: made})
        self.made[name] = made

    def _shown(self, row: Row, second: bool) -> Shown:
        table = self.work.table
        before, text = table.text(row, "mend") or "", table.text(row, "review") or ""
        if second and (edited := self.made[row["id"]]["text"]):
            text = edited
        return Shown(row["id"], picture_path(self.work.root, row["image"]), before, text, second)


def agreement(reviews: Iterable[Entry]) -> tuple[int, int]:
    """Second looks that led to the first decision, and second looks."""
    pairs = [(made["decision"], second) for made in reviews if (second := details(made).get("second"))]
    return sum(first == second for first, second in pairs), len(pairs)


def settled(work: Work, lines: dict[str, dict]) -> dict[str, Entry | None]:
    """What was decided; `None` where that was taken back."""
    return {name: None if line.get("undone") else line for name, line in lines.items()}
