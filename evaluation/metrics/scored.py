"""What the modules for `evaluate` share."""

from types import ModuleType
from typing import Any

import datasets
import evaluate


TEXT, NUMBER, FRACTION = (datasets.Value(kind) for kind in ("string", "int64", "float64"))


class ScoredMetric(evaluate.Metric):
    """
    A metric of `minigpt4.evaluation.scoring`. `evaluate` takes the first class that a module has: a module imports this
    file, not this class.

    Attributes:
        scoring (`ModuleType`): with `score` and `summarise`.
        paper (`str`): its address.
        samples (`dict`): features of `predictions` and `references`.
    """

    scoring: ModuleType
    paper: str
    samples: dict[str, Any]

    def _info(self):
        return evaluate.MetricInfo(
            description=self.scoring.__doc__ or "",
            citation=self.paper,
            inputs_description=self.scoring.score.__doc__ or "",
            features=datasets.Features(self.samples),
        )

    def _compute(self, predictions, references, **options):
        pairs = zip(predictions, references, strict=True)
        return self.scoring.summarise([self.scoring.score(*pair, **options) for pair in pairs])
