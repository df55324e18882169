"""`minigpt4.evaluation.scoring.exact_match_vqa` as a module for `evaluate`."""

import datasets
import evaluate

from minigpt4.evaluation.scoring import exact_match_vqa as scoring


class ExactMatchVqa(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description=scoring.__doc__ or "",
            citation="https://huggingface.co/papers/1902.09506",
            inputs_description=scoring.score.__doc__ or "",
            features=datasets.Features(
                {
                    "predictions": datasets.Value("string"),
                    "references": datasets.Value("string"),
                }
            ),
        )

    def _compute(self, predictions, references, published=False):
        pairs = zip(predictions, references, strict=True)
        return scoring.summarise([scoring.score(*pair, published=published) for pair in pairs])
