"""`minigpt4.evaluation.scoring.exact_match_vqa` as a module for `evaluate`."""

from minigpt4.evaluation.metrics import scored
from minigpt4.evaluation.scoring import exact_match_vqa as scoring


class ExactMatchVqa(scored.ScoredMetric):
    scoring = scoring
    paper = "https://huggingface.co/papers/1902.09506"
    samples = {"predictions": scored.TEXT, "references": scored.TEXT}
