"""`minigpt4.evaluation.scoring.caption_coverage` as a module for `evaluate`."""

import datasets
import evaluate

from minigpt4.evaluation.scoring import caption_coverage as scoring


class CaptionCoverage(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description=scoring.__doc__ or "",
            citation="https://huggingface.co/papers/2304.10592",
            inputs_description=scoring.score.__doc__ or "",
            features=datasets.Features(
                {
                    "predictions": datasets.Value("string"),
                    "references": datasets.Value("int64"),
                }
            ),
        )

    def _compute(self, predictions, references):
        pairs = zip(predictions, references, strict=True)
        return scoring.summarise([scoring.score(*pair) for pair in pairs])
