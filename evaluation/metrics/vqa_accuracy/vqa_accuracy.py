"""`minigpt4.evaluation.scoring.vqa_accuracy` as a module for `evaluate`."""

import datasets

from minigpt4.evaluation.metrics import scored
from minigpt4.evaluation.scoring import vqa_accuracy as scoring


class VqaAccuracy(scored.ScoredMetric):
    scoring = scoring
    paper = "https://huggingface.co/papers/1505.00468"
    samples = {"predictions": scored.TEXT, "references": datasets.List(scored.TEXT)}
