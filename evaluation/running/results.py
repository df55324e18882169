"""The result of a task: its figure with an interval, all that was counted, and every sample, as a JSON file."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minigpt4.checkpoints.strangers import read_json
from minigpt4.checkpoints.writing import unfinished_file


RESAMPLES = 1000
# Of measures that are not a mean, which are computed anew each time.
FEW_RESAMPLES = 200
PERCENTILES = (2.5, 97.5)


@dataclass
class Result:
    """
    What came out of a task.

    Args:
        task, title (`str`): which one.
        model (`str`): folder or Hub id.
        measure (`str`): name of the figure that the paper's table has.
        value (`float`): that figure, in the paper's unit.
        interval (`tuple[float, float]`): of 95 %, by bootstrap over the samples.
        n (`int`): samples that were scored, failed ones among them.
        of (`int`): samples of the whole set.
        failed (`int`): samples without an answer, scored as an empty one.
        unparsable (`int`, *optional*): answers that the metric could not read; `None` where it reads any.
        unjudged (`int`): samples on which the judge said neither yes nor no; they are not in the figure.
        figures (`dict`): all that the metric computes, as it does: shares from 0 to 1.
        published_scoring (`bool`): whether the published evaluation was followed where it differs from the field's.
        lower_is_better (`bool`): as of hallucinations.
        published (`list[dict]`): `model`, `value` and `version` of the papers' figures.
        others_published (`list[dict]`):
            The same of other figures of the metric, with `figure` and `scale`, to the paper's unit.
        notes (`list[str]`): what a reader of the figure must know.
        settings (`dict`): what the answers depend on, and of the judge.
        samples (`list[dict]`): `id`, `image`, `words`, `kind`, `prompt`, `answer`, `target` and `scores` of each; `error` of
            those that failed.
    """

    task: str
    title: str
    model: str
    measure: str
    value: float
    interval: tuple[float, float]
    n: int
    of: int
    failed: int
    unparsable: int | None
    unjudged: int
    figures: dict[str, Any]
    published_scoring: bool = False
    lower_is_better: bool = False
    published: list[dict[str, Any]] = field(default_factory=list)
    others_published: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """Whether only a part of the set was answered, which is not comparable with published figures."""
        return self.n < self.of

    @property
    def judged(self) -> bool:
        """Whether any sample has a score yet."""
        return any(sample["scores"].get("score") is not None for sample in self.samples)

    def write(self, folder: Path) -> Path:
        """Write `TASK.json`, at once."""
        folder.mkdir(parents=True, exist_ok=True)
        with unfinished_file(folder / f"{self.task}.json") as part:
            part.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1), encoding="utf-8")
        return folder / f"{self.task}.json"


def read_result(file: Path) -> Result:
    """
    Raises:
        ValueError: the file is not a result.
    """
    content = read_json(file)
    try:
        result = Result(**content)
    except TypeError as error:
        raise ValueError(f"{file} is not a result of minigpt4 evaluate.") from error
    result.interval = (result.interval[0], result.interval[1])
    return result


def read_results(source: str | Path) -> list[Result]:
    """
    The results of a folder, or the one in a file.

    Raises:
        FileNotFoundError: there is none.
    """
    path = Path(source)
    files = [path] if path.is_file() else sorted(path.glob("*.json"))
    if not files:
        raise FileNotFoundError(f"{source} has no results: give the --output of minigpt4 evaluate.")
    return [read_result(file) for file in files]


Scores = Sequence[Mapping[str, Any]]


def interval(figure: Callable[[Scores], float], scores: Scores, others: Scores | None = None) -> tuple[float, float]:
    """
    The middle 95 % of a figure over samples drawn again with replacement, from a fixed seed.

    Args:
        figure (`Callable`): from scores to the figure.
        scores (`Scores`): of all samples.
        others (*optional*): of the same samples by another model: the interval is of the difference, paired.
    """
    if not scores:
        return (0.0, 0.0)
    lists = [scores] if others is None else [scores, others]
    values = [_values(figure, one) for one in lists]
    if all(one is not None for one in values):
        rng = np.random.default_rng(0)
        differences = values[0] if others is None else values[0] - values[1]
        drawn = (differences[rng.integers(len(scores), size=len(scores))].mean() for _ in range(RESAMPLES))
    else:
        drawn = (
            figure(one[0]) - (figure(one[1]) if others is not None else 0)
            for one in _resampled(lists, random.Random(0))
        )
    low, high = np.percentile(np.fromiter(drawn, float), PERCENTILES)
    return float(low), float(high)


def _values(figure: Callable[[Scores], float], scores: Scores) -> Any:
    """The scores as numbers, where the figure is their mean; else `None`."""
    if any(score.get("score") is None for score in scores):
        return None
    values = np.array([float(score["score"]) for score in scores])
    return values if abs(values.mean() - figure(scores)) < 1e-9 else None


def _resampled(lists: Sequence[Scores], rng: random.Random) -> Any:
    for _ in range(FEW_RESAMPLES):
        drawn = rng.choices(range(len(lists[0])), k=len(lists[0]))
        yield [[one[index] for index in drawn] for one in lists]
