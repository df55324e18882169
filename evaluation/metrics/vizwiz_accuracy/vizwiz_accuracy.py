"""`minigpt4.evaluation.scoring.vizwiz_accuracy` as a module for `evaluate`."""

import datasets

from minigpt4.evaluation.metrics import scored
from minigpt4.evaluation.scoring import vizwiz_accuracy as scoring


class VizwizAccuracy(scored.ScoredMetric):
    scoring = scoring
    paper = "https://huggingface.co/papers/1802.08218"
    samples = {"predictions": scored.TEXT, "references": datasets.List(scored.TEXT)}
