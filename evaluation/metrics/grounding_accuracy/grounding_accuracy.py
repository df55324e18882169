"""`minigpt4.evaluation.scoring.grounding_accuracy` as a module for `evaluate`."""

import datasets

from minigpt4.evaluation.metrics import scored
from minigpt4.evaluation.scoring import grounding_accuracy as scoring


class GroundingAccuracy(scored.ScoredMetric):
    scoring = scoring
    paper = "https://huggingface.co/papers/1608.00272"
    samples = {
        "predictions": scored.TEXT,
        "references": {
            "boxes": datasets.List(datasets.List(scored.FRACTION, length=4)),
            "width": scored.NUMBER,
            "height": scored.NUMBER,
        },
    }
