"""`minigpt4.evaluation.scoring.vqa_accuracy` as a module for `evaluate`."""

import datasets
import evaluate

from minigpt4.evaluation.scoring import vqa_accuracy as scoring


class VqaAccuracy(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description=scoring.__doc__ or "",
            citation="https://huggingface.co/papers/1505.00468",
            inputs_description=scoring.score.__doc__ or "",
            features=datasets.Features(
                {
                    "predictions": datasets.Value("string"),
                    "references": datasets.List(datasets.Value("string")),
                }
            ),
        )

    def _compute(self, predictions, references, published=False):
        pairs = zip(predictions, references, strict=True)
        return scoring.summarise([scoring.score(*pair, published=published) for pair in pairs])
