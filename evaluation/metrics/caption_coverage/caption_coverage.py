"""`minigpt4.evaluation.scoring.caption_coverage` as a module for `evaluate`."""

from minigpt4.evaluation.metrics import scored
from minigpt4.evaluation.scoring import caption_coverage as scoring


class CaptionCoverage(scored.ScoredMetric):
    scoring = scoring
    paper = "https://huggingface.co/papers/2304.10592"
    samples = {"predictions": scored.TEXT, "references": scored.NUMBER}
