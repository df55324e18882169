"""`minigpt4.evaluation.scoring.detection` as a module for `evaluate`."""

import datasets

from minigpt4.evaluation.metrics import scored
from minigpt4.evaluation.scoring import detection as scoring


class Detection(scored.ScoredMetric):
    scoring = scoring
    paper = "https://huggingface.co/papers/1405.0312"
    samples = {
        "predictions": scored.TEXT,
        "references": {
            "objects": datasets.List(
                {
                    "label": scored.TEXT,
                    "box": datasets.List(scored.FRACTION, length=4),
                    "crowd": datasets.Value("bool"),
                }
            ),
            "width": scored.NUMBER,
            "height": scored.NUMBER,
        },
    }
