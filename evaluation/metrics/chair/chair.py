"""`minigpt4.evaluation.scoring.chair` as a module for `evaluate`."""

import datasets

from minigpt4.evaluation.metrics import scored
from minigpt4.evaluation.scoring import chair as scoring


class Chair(scored.ScoredMetric):
    scoring = scoring
    paper = "https://huggingface.co/papers/1809.02156"
    samples = {
        "predictions": scored.TEXT,
        "references": {"objects": datasets.List(scored.TEXT), "captions": datasets.List(scored.TEXT)},
    }
