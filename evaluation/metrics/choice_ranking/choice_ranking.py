"""`minigpt4.evaluation.scoring.choice_ranking` as a module for `evaluate`."""

import datasets

from minigpt4.evaluation.metrics import scored
from minigpt4.evaluation.scoring import choice_ranking as scoring


class ChoiceRanking(scored.ScoredMetric):
    scoring = scoring
    paper = "https://huggingface.co/papers/2110.13214"
    samples = {
        "predictions": {
            "losses": datasets.List(datasets.List(scored.FRACTION)),
            "padded_lengths": datasets.List(scored.NUMBER),
        },
        "references": scored.NUMBER,
    }
