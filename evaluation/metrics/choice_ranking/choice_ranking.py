"""`minigpt4.evaluation.scoring.choice_ranking` as a module for `evaluate`."""

import datasets
import evaluate

from minigpt4.evaluation.scoring import choice_ranking as scoring


class ChoiceRanking(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description=scoring.__doc__ or "",
            citation="https://huggingface.co/papers/2110.13214",
            inputs_description=scoring.score.__doc__ or "",
            features=datasets.Features(
                {
                    "predictions": {
                        "losses": datasets.List(datasets.List(datasets.Value("float64"))),
                        "padded_lengths": datasets.List(datasets.Value("int64")),
                    },
                    "references": datasets.Value("int64"),
                }
            ),
        )

    def _compute(self, predictions, references, published=False):
        pairs = zip(predictions, references, strict=True)
        return scoring.summarise([scoring.score(*pair, published=published) for pair in pairs])
