"""`minigpt4.evaluation.scoring.detection` as a module for `evaluate`."""

import datasets
import evaluate

from minigpt4.evaluation.scoring import detection as scoring


class Detection(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description=scoring.__doc__ or "",
            citation="https://huggingface.co/papers/1405.0312",
            inputs_description=scoring.score.__doc__ or "",
            features=datasets.Features(
                {
                    "predictions": datasets.Value("string"),
                    "references": {
                        "objects": datasets.List(
                            {
                                "label": datasets.Value("string"),
                                "box": datasets.List(datasets.Value("float64"), length=4),
                                "crowd": datasets.Value("bool"),
                            }
                        ),
                        "width": datasets.Value("int64"),
                        "height": datasets.Value("int64"),
                    },
                }
            ),
        )

    def _compute(self, predictions, references):
        pairs = zip(predictions, references, strict=True)
        return scoring.summarise([scoring.score(*pair) for pair in pairs])
