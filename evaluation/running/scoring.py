"""From the rows of a run to the scores of its samples, and to the figures of the set."""

import inspect
import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from minigpt4.evaluation.tasks.files import existing
from minigpt4.evaluation.tasks.task import Sample, Task

from .answers import Row


# What the published evaluation of IconQA scores at once, and fills shorter lists of choices with.
PUBLISHED_BATCH, FILLER = 10, "none"


class Scorer:
    """
    A task's metric, with the task's options.

    Args:
        task (`Task`): whose.
        published (`bool`): follow the published evaluation where it differs from the field's.
        data (`Path`, *optional*): folder of the data, for options that are files. Without it only figures can be made.
    """

    def __init__(self, task: Task, published: bool = False, data: Path | None = None) -> None:
        self.task, self.published = task, published
        self.metric: ModuleType = import_module(f"minigpt4.evaluation.scoring.{task.metric}")
        self._parameters = inspect.signature(self.metric.score).parameters
        self.options = dict(task.options)
        if data is not None:
            self.options |= {name: existing(data, file) for name, file in task.files.items()}
        if "published" in self._parameters:
            self.options["published"] = published

    def scores(self, rows: Sequence[Row], samples: Sequence[Sample]) -> list[dict[str, Any]]:
        """The scores of samples, in their order."""
        if self.task.answers == "ranking" and self.published:
            rows = padded_as_published(rows)
        return [self.score(row, sample) for row, sample in zip(rows, samples, strict=True)]

    def score(self, row: Row, sample: Sample) -> dict[str, Any]:
        """The score of one sample; of one that failed, that of an empty answer."""
        if self.task.answers == "ranking":
            if "error" in row:
                return {"score": 0.0, "mean": 0.0, "published": 0.0, "parsed": None}
            return self.metric.score(row, sample.target, **self.options)
        if self.task.judged:
            return self.metric.score("\n".join(row.get("verdicts", ())), len(sample.target))
        if self.task.by_people:
            return self.metric.score(row.get("marks", ()), sample.kind)
        answer = row.get("answer", "")
        if self.published:
            answer = row.get("answer_as_published", answer)
        made: dict[str, Any] = {"finished": row.get("finished", False)}
        if "losses" in row:
            yes, no = (math.exp(-sum(losses)) for losses in row["losses"])
            made["probability"] = yes / (yes + no) if yes + no else 0.5
        known = {name: value for name, value in made.items() if name in self._parameters}
        return self.metric.score(answer, sample.target, **known, **self.options)

    def running(self, row: Row, sample: Sample) -> float | None:
        """What the progress bar can show of a sample already."""
        if self.task.judged or self.task.by_people or (self.task.answers == "ranking" and self.published):
            return None
        return self.score(row, sample).get("score")

    def figures(self, scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """All figures of the set."""
        return self.metric.summarise(scores)

    def figure(self, scores: Sequence[Mapping[str, Any]]) -> float:
        """The figure that the paper's table has, as the metric computes it."""
        return float(self.metric.summarise(scores)[self.task.figure])


def padded_as_published(rows: Sequence[Row]) -> list[Row]:
    """
    Rows of ranked choices with `padded_lengths`, as the published evaluation of IconQA has them.

    It takes ten questions at a time, in the order of the file. Their first choices are one batch, their second ones another, and
    so on; who has fewer choices than others has `none` there. All rows of a batch are as long as its longest.
    """
    padded: list[Row] = []
    for start in range(0, len(rows), PUBLISHED_BATCH):
        batch = [row for row in rows[start : start + PUBLISHED_BATCH] if "error" not in row]
        widths = [
            max(
                row["prompt_tokens"]
                + (len(row["losses"][column]) if column < len(row["losses"]) else row["filler_tokens"])
                for row in batch
            )
            for column in range(max((len(row["losses"]) for row in batch), default=0))
        ]
        padded += [
            row if "error" in row else row | {"padded_lengths": widths[: len(row["losses"])]}
            for row in rows[start : start + PUBLISHED_BATCH]
        ]
    return padded
