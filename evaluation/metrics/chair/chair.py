"""`minigpt4.evaluation.scoring.chair` as a module for `evaluate`."""

import datasets
import evaluate

from minigpt4.evaluation.scoring import chair as scoring


class Chair(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description=scoring.__doc__ or "",
            citation="https://huggingface.co/papers/1809.02156",
            inputs_description=scoring.score.__doc__ or "",
            features=datasets.Features(
                {
                    "predictions": datasets.Value("string"),
                    "references": {
                        "objects": datasets.List(datasets.Value("string")),
                        "captions": datasets.List(datasets.Value("string")),
                    },
                }
            ),
        )

    def _compute(self, predictions, references, synonyms):
        pairs = zip(predictions, references, strict=True)
        return scoring.summarise([scoring.score(*pair, synonyms=synonyms) for pair in pairs])
