"""`minigpt4.evaluation.scoring.grounding_accuracy` as a module for `evaluate`."""

import datasets
import evaluate

from minigpt4.evaluation.scoring import grounding_accuracy as scoring


class GroundingAccuracy(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description=scoring.__doc__ or "",
            citation="https://huggingface.co/papers/1608.00272",
            inputs_description=scoring.score.__doc__ or "",
            features=datasets.Features(
                {
                    "predictions": datasets.Value("string"),
                    "references": {
                        "boxes": datasets.List(datasets.List(datasets.Value("float64"), length=4)),
                        "width": datasets.Value("int64"),
                        "height": datasets.Value("int64"),
                    },
                }
            ),
        )

    def _compute(self, predictions, references, published=False):
        pairs = zip(predictions, references, strict=True)
        return scoring.summarise([scoring.score(*pair, published=published) for pair in pairs])
