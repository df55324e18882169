"""`minigpt4.evaluation.scoring.hateful_memes` as a module for `evaluate`."""

import datasets
import evaluate

from minigpt4.evaluation.scoring import hateful_memes as scoring


class HatefulMemes(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description=scoring.__doc__ or "",
            citation="https://huggingface.co/papers/2005.04790",
            inputs_description=scoring.score.__doc__ or "",
            features=datasets.Features(
                {
                    "predictions": datasets.Value("string"),
                    "references": datasets.Value("int64"),
                }
            ),
        )

    def _compute(self, predictions, references, probabilities=None, published=False):
        known = [None] * len(predictions) if probabilities is None else probabilities
        samples = zip(predictions, references, known, strict=True)
        return scoring.summarise(
            [scoring.score(said, label, probability=one, published=published) for said, label, one in samples]
        )
