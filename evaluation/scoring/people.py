"""Whether answers meet their request, as people judge them, and how far the people agree."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from .summaries import mean_of, ratio


# Of the abilities, those in the table of the MiniGPT-4 paper.
PUBLISHED_KINDS = ("humour", "cooking", "advertisement", "poem")


def score(answer: Sequence[bool | None], target: str = "") -> dict[str, Any]:
    """
    The judgement of people on one answer.

    Args:
        answer (`list`): for each person whether the answer meets its request; `None` where that person did not say.
        target (`str`, *optional*): the ability that is asked for.

    Returns:
        `dict`: `score`, 1.0 where more people say yes than no, 0.0 where fewer do, 0.5 between, `None` where nobody said; `marks`
        of the people; `kind`, the ability.
    """
    said = [mark for mark in answer if mark is not None]
    share = ratio(sum(said), len(said))
    decision = None if not said else float((share > 0.5) + (share >= 0.5)) / 2
    return {"score": decision, "marks": list(answer), "kind": target}


def summarise(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`met`, the share of the judged answers; `met_of_published`, of the four abilities in the paper's table; `by_kind`; `raters`;
    `agreement` of their pairs on the answers that both judged, and `kappa` (Cohen's, the mean of the pairs; `None` where it is not
    defined); `n`; `unjudged`."""
    judged = [one for one in scores if one["score"] is not None]
    kinds = dict.fromkeys(one["kind"] for one in judged)
    marks = [one["marks"] for one in scores]
    raters = max(map(len, marks), default=0)
    pairs = [
        [(row[first], row[second]) for row in marks if None not in (row[first], row[second])]
        for first, second in combinations(range(raters), 2)
    ]
    pairs = [pair for pair in pairs if pair]
    kappas = [kappa for pair in pairs if (kappa := cohens_kappa(pair)) is not None]
    return {
        "met": mean_of(judged),
        "met_of_published": mean_of([one for one in judged if one["kind"] in PUBLISHED_KINDS]),
        "by_kind": {kind: mean_of([one for one in judged if one["kind"] == kind]) for kind in kinds},
        "raters": raters,
        "agreement": ratio(sum(a == b for pair in pairs for a, b in pair), sum(map(len, pairs))) if pairs else None,
        "kappa": ratio(sum(kappas), len(kappas)) if kappas else None,
        "n": len(scores),
        "unjudged": len(scores) - len(judged),
    }


def cohens_kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """The agreement of two people beyond chance (https://doi.org/10.1177/001316446002000104); `None` where chance explains all."""
    agreement = ratio(sum(first == second for first, second in pairs), len(pairs))
    yes, also = (ratio(sum(pair[index] for pair in pairs), len(pairs)) for index in (0, 1))
    chance = yes * also + (1 - yes) * (1 - also)
    return None if chance == 1 else (agreement - chance) / (1 - chance)
