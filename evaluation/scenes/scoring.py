"""Measures of what a model says about scenes, from texts alone."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

from .boxed.scoring import task_rows
from .parsing import ParsedDescription, parse
from .wording import PLURALS, Question
from .world import FACT_WORDS, MAX_OBJECTS, OBJECT_FACTS, Scene


DESCRIPTION_FACTS = ("background", "count", *OBJECT_FACTS)
ANSWER_WORDS = frozenset((*FACT_WORDS, "no", "nothing", "yes"))
SINGULARS = {plural: name for name, plural in PLURALS.items()}
# Of more described objects than this, only the first are paired with the scene's.
PAIRED_AT_MOST = MAX_OBJECTS + 2


@dataclass(frozen=True)
class DescriptionScore:
    """How one description agrees with its scene.

    Attributes:
        right, asked (`Counter`): facts that are right, and facts of the scene, by kind (`DESCRIPTION_FACTS`).
        facts_said (`int`): facts that the description states, right or wrong.
        objects_right, objects_asked, objects_said (`int`): objects with all four facts right, in the scene, described.
        failures (`frozenset[str]`): of `repetition` (an object described twice over), `no end` (the end mark never
            came) and `fragment` (an object without all its facts, or no object at all).
    """

    right: Counter[str]
    asked: Counter[str]
    facts_said: int
    objects_right: int
    objects_asked: int
    objects_said: int
    failures: frozenset[str]

    @property
    def wholly_right(self) -> bool:
        """Every fact is correct, and no other is stated."""
        return self.right == self.asked and self.facts_said == self.asked.total() and not self.failures


def score_description(scene: Scene, description: str, finished: bool = True) -> DescriptionScore:
    """
    Compare a description with its scene. Objects are paired with the scene's in the way that agrees best.

    Args:
        scene (`Scene`): what the picture shows.
        description (`str`): the model's.
        finished (`bool`): whether the model ended it by itself.

    Returns:
        `DescriptionScore`: correct facts and objects, and failures.
    """
    parsed = parse(description)
    asked = Counter({"background": 1, "count": 1} | dict.fromkeys(OBJECT_FACTS, len(scene.objects)))
    right = Counter(fact for fact in ("background", "count") if getattr(parsed, fact) == getattr(scene, fact))
    true: list[tuple] = [(obj.size, obj.colour, obj.shape, obj.position) for obj in scene.objects]
    said: list[tuple] = [tuple(obj[fact] for fact in OBJECT_FACTS) for obj in parsed.objects]
    candidates = said[:PAIRED_AT_MOST] + [(None,) * len(OBJECT_FACTS)] * (len(true) - len(said))
    agreements: list[Counter[str]] = [_agreement(true, pairing) for pairing in permutations(candidates, len(true))]
    right += max(agreements, key=lambda agreement: sum(agreement.values()))  # type: ignore[attr-defined]
    return DescriptionScore(
        right=right,
        asked=asked,
        facts_said=sum(fact is not None for fact in (parsed.background, parsed.count, *sum(said, ()))),
        objects_right=(Counter(true) & Counter(said)).total(),
        objects_asked=len(true),
        objects_said=len(said),
        failures=frozenset(_failures(parsed, finished)),
    )


def _agreement(true: list[tuple], said: Sequence[tuple]) -> Counter[str]:
    return Counter(
        fact
        for true_facts, said_facts in zip(true, said, strict=True)
        for fact, value, answer in zip(OBJECT_FACTS, true_facts, said_facts, strict=True)
        if value == answer
    )


def _failures(parsed: ParsedDescription, finished: bool):
    if not finished:
        yield "no end"
    if any(count > 1 for count in Counter(tuple(obj.values()) for obj in parsed.objects).values()):
        yield "repetition"
    if not parsed.objects or any(None in obj.values() for obj in parsed.objects):
        yield "fragment"


def answer_is_right(question: Question, answer: str) -> bool:
    """
    Whether an answer is correct: it must state the same facts, numbers, yes or no in the same order; other words, and
    plural or singular, do not matter.

    Args:
        question (`Question`): with its correct answer.
        answer (`str`): the model's.

    Returns:
        `bool`: whether it is correct.
    """
    return _stated(answer) == _stated(question.answer)


def _stated(answer: str) -> list[str]:
    words = (word.strip(".,!?").lower() for word in answer.split())
    return [word for word in (SINGULARS.get(word, word) for word in words) if word in ANSWER_WORDS]


def summarise_descriptions(scores: Sequence[DescriptionScore]) -> dict:
    """Shares over all `scores`: `facts` (correct of the scene's) and by kind, `facts_precision` (correct of those stated),
    `objects_precision`, `objects_recall`, `scenes_right`, and each failure."""

    def share(part: int, whole: int) -> float:
        return part / whole if whole else 0.0

    right = sum((score.right for score in scores), Counter())
    asked = sum((score.asked for score in scores), Counter())
    objects_right = sum(score.objects_right for score in scores)
    return {
        "facts": share(right.total(), asked.total()),
        "facts_precision": share(right.total(), sum(score.facts_said for score in scores)),
        "facts_by_kind": {kind: share(right[kind], asked[kind]) for kind in DESCRIPTION_FACTS},
        "objects_precision": share(objects_right, sum(score.objects_said for score in scores)),
        "objects_recall": share(objects_right, sum(score.objects_asked for score in scores)),
        "scenes_right": share(sum(score.wholly_right for score in scores), len(scores)),
        "failures": {
            failure: share(sum(failure in score.failures for score in scores), len(scores))
            for failure in ("repetition", "no end", "fragment")
        },
    }


def score_rows(scores: dict) -> Iterator[tuple[str, float]]:
    """Name and share of each score of `evaluate_scenes`, in the order in which people read them."""
    if "tasks" in scores:
        yield from task_rows(scores)
        return
    descriptions, questions = scores["descriptions"], scores["questions"]
    yield "scenes described wholly right", descriptions["scenes_right"]
    yield "facts right", descriptions["facts"]
    yield "facts right of those said", descriptions["facts_precision"]
    for kind, value in descriptions["facts_by_kind"].items():
        yield f"  {kind}", value
    yield "objects right of those described (precision)", descriptions["objects_precision"]
    yield "objects described right (recall)", descriptions["objects_recall"]
    for failure, value in descriptions["failures"].items():
        yield f"failure: {failure}", value
    yield "questions answered right", questions["all"]
    for kind, value in questions["by_kind"].items():
        yield f"  {kind}", value
