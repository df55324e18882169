"""`minigpt4.evaluation.scoring.failure_rate` as a module for `evaluate`."""

import datasets
import evaluate

from minigpt4.evaluation.scoring import failure_rate as scoring


class FailureRate(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description=scoring.__doc__ or "",
            citation="https://huggingface.co/papers/2304.10592",
            inputs_description=scoring.score.__doc__ or "",
            features=datasets.Features({"predictions": datasets.Value("string")}),
        )

    def _compute(self, predictions, finished=None, language="en"):
        ends = [True] * len(predictions) if finished is None else finished
        pairs = zip(predictions, ends, strict=True)
        return scoring.summarise([scoring.score(text, finished=end, language=language) for text, end in pairs])
