"""Several results side by side, with paired differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigpt4.evaluation.tasks.index import all_tasks

from .results import Result, interval, read_results
from .scoring import Scorer


@dataclass(frozen=True)
class Difference:
    """A result minus the first one, on the samples that both have, with its paired interval of 95 %."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class ComparedTask:
    """
    A task in a comparison.

    Args:
        results (`list[Result]`): one of each folder.
        differences (`list[Difference]`): of all but the first, from the first.
        shared (`int`): samples that all of them have.
    """

    results: list[Result]
    differences: list[Difference]
    shared: int


@dataclass(frozen=True)
class Comparison:
    """What is compared, under which names, task by task; and the tasks that not all of them have."""

    names: list[str]
    rows: list[ComparedTask]
    missing: list[str]

    def as_json(self) -> dict[str, Any]:
        return {
            "names": self.names,
            "missing": self.missing,
            "tasks": {
                row.results[0].task: {
                    "values": [result.value for result in row.results],
                    "intervals": [result.interval for result in row.results],
                    "differences": [{"value": one.value, "interval": one.interval} for one in row.differences],
                    "shared": row.shared,
                    "published": row.results[0].published,
                }
                for row in self.rows
            },
        }


def compare(sources: Sequence[str | Path]) -> Comparison:
    """
    Compare results of several models.

    Args:
        sources (`Sequence[str]` or `Sequence[Path]`): folders that `minigpt4 evaluate --output` wrote, or single results in them.

    Raises:
        FileNotFoundError: a folder has no results.
        ValueError: they have no task in common, no samples of a task in common, or were scored in different ways.
    """
    found = [{result.task: result for result in read_results(source)} for source in sources]
    tasks = [task for task in found[0] if all(task in results for results in found)]
    if not tasks:
        raise ValueError(f"{', '.join(map(str, sources))} have no task in common: evaluate the same tasks.")
    names = [Path(next(iter(results.values())).model).name for results in found]
    if len(set(names)) < len(names):
        names = [str(source) for source in sources]
    rows = [_compare([results[task] for results in found]) for task in tasks]
    missing = sorted({task for results in found for task in results} - set(tasks))
    return Comparison(names, rows, missing)


def _compare(results: list[Result]) -> ComparedTask:
    first = results[0]
    if len({result.published_scoring for result in results}) > 1:
        raise ValueError(f"{first.task} was scored as published in some results only: evaluate all in one way.")
    scores = [{sample["id"]: sample["scores"] for sample in result.samples} for result in results]
    judged = ({id for id, score in one.items() if score.get("score") is not None} for one in scores)
    shared = sorted(set.intersection(*judged))
    if not shared:
        raise ValueError(f"{first.task}: the results have no samples in common: evaluate them on the same data.")
    task = all_tasks()[first.task]
    scorer = Scorer(task, first.published_scoring)
    reference = [scores[0][id] for id in shared]
    differences = []
    for one in scores[1:]:
        other = [one[id] for id in shared]
        low, high = interval(scorer.figure, other, reference)
        value = (scorer.figure(other) - scorer.figure(reference)) * task.scale
        differences.append(Difference(value, (low * task.scale, high * task.scale)))
    return ComparedTask(results, differences, len(shared))
