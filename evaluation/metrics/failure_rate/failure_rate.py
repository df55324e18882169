"""`minigpt4.evaluation.scoring.failure_rate` as a module for `evaluate`."""

from minigpt4.evaluation.metrics import scored
from minigpt4.evaluation.scoring import failure_rate as scoring


class FailureRate(scored.ScoredMetric):
    scoring = scoring
    paper = "https://huggingface.co/papers/2304.10592"
    samples = {"predictions": scored.TEXT}

    def _compute(self, predictions, finished=None, language="en"):  # type: ignore[override]  # it has no references
        ends = [True] * len(predictions) if finished is None else finished
        pairs = zip(predictions, ends, strict=True)
        return scoring.summarise([scoring.score(text, finished=end, language=language) for text, end in pairs])
