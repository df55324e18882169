"""`minigpt4.evaluation.scoring.hateful_memes` as a module for `evaluate`."""

from minigpt4.evaluation.metrics import scored
from minigpt4.evaluation.scoring import hateful_memes as scoring


class HatefulMemes(scored.ScoredMetric):
    scoring = scoring
    paper = "https://huggingface.co/papers/2005.04790"
    samples = {"predictions": scored.TEXT, "references": scored.NUMBER}

    def _compute(self, predictions, references, probabilities=None, published=False):  # type: ignore[override]  # also of each sample
        known = [None] * len(predictions) if probabilities is None else probabilities
        samples = zip(predictions, references, known, strict=True)
        return scoring.summarise(
            [scoring.score(said, label, probability=one, published=published) for said, label, one in samples]
        )
