"""Facts of a drawn scene in a description, as nano is measured."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from minigpt4.evaluation.scenes.scoring import DescriptionScore, score_description, summarise_descriptions
from minigpt4.evaluation.scenes.world import Scene, SceneObject


def score(answer: str, target: Mapping[str, Any], *, finished: bool = True) -> dict[str, Any]:
    """
    Compare a description with its scene.

    Args:
        answer (`str`): the model's description.
        target (`dict`): `background`; `objects`, each with `size`, `colour`, `shape` and `position`.
        finished (`bool`, *optional*, defaults to `True`): whether the model ended it by itself.

    Returns:
        `dict`: `score`, the share of the scene's facts that are right; the counts behind it, as `DescriptionScore` has them.
    """
    scene = Scene(target["background"], tuple(SceneObject(**one) for one in target["objects"]))
    made = score_description(scene, answer, finished)
    return {
        "score": made.right.total() / made.asked.total(),
        **vars(made),
        "right": dict(made.right),
        "asked": dict(made.asked),
        "failures": sorted(made.failures),
    }


def summarise(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The shares of `summarise_descriptions`; `n`."""
    descriptions = [
        DescriptionScore(
            right=Counter(one["right"]),
            asked=Counter(one["asked"]),
            failures=frozenset(one["failures"]),
            **{name: one[name] for name in ("facts_said", "objects_right", "objects_asked", "objects_said")},
        )
        for one in scores
    ]
    return {**summarise_descriptions(descriptions), "n": len(scores)}
