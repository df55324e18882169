"""Measures of what a model answers about scenes with boxes, from texts alone."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from minigpt4.evaluation.scenes.world import COLOURS, SHAPES
from minigpt4.evaluation.scoring.grounding_accuracy import THRESHOLD, pair
from minigpt4.processing.boxes import Grounding, parse_grounding
from minigpt4.processing.tasks import TASKS

from .forms import FORMS, OTHER, form_of
from .wording import Request
from .world import BoxedScene


_THING = re.compile(rf"\b({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})\b")


@dataclass(frozen=True)
class TaskScore:
    """
    How one answer agrees with its request.

    Args:
        form (`str`): the task in whose form the answer is, see [`form_of`]; `"other"` also if it did not end by itself.
        right (`bool`): nothing is missing, wrong or too much; boxes count from an IoU above 0.5.
        iou (`float`): of `refer`: of the one box with the right one, 0.0 if there is no such box.
        found, asked, said (`int`): boxes (`detection`), phrases with their box (`grounding`) or objects (`caption`) that are right,
            that the scene has, and that the answer has.
    """

    form: str
    right: bool
    iou: float = 0.0
    found: int = 0
    asked: int = 0
    said: int = 0


def score_answer(scene: BoxedScene, request: Request, answer: str, finished: bool = True) -> TaskScore:
    """
    Compare an answer with what was asked for.

    Args:
        scene (`BoxedScene`): what the picture shows.
        request (`Request`): about it.
        answer (`str`): the model's.
        finished (`bool`): whether the model ended it by itself.
    """
    form = form_of(answer) if finished else OTHER
    # Boxes in pixels: each is measured against the exact one, not against the answer's hundredths.
    read = parse_grounding(answer, scene.size)
    match request.task:
        case "refer":
            overlap = next(iter(_pairs(read, request).values()), 0.0) if form == "refer" else 0.0
            return TaskScore(form, overlap > THRESHOLD, iou=overlap)
        case "detection":
            found = sum(overlap > THRESHOLD for overlap in _pairs(read, request).values())
            asked, said = len(request.phrases[0].boxes), len(read.boxes)
        case "grounding":
            found, said = _phrases_found(read, request), sum(bool(phrase.boxes) for phrase in read.phrases)
            asked = len(request.phrases)
        case "caption":
            right, described = (Counter(_THING.findall(text)) for text in (request.answer, read.text))
            found, asked, said = (right & described).total(), right.total(), described.total()
        case _:
            return TaskScore(form, form == request.task and _plain(read.text) == _plain(request.answer))
    # Words beside the boxes count too: the name that was asked for, the background.
    right_words = _plain(read.text) == _plain(parse_grounding(request.answer).text)
    return TaskScore(
        form, form == request.task and found == asked == said and right_words, found=found, asked=asked, said=said
    )


def _pairs(read: Grounding, request: Request) -> Mapping[tuple[int, int], float]:
    return pair(read.boxes, [box for phrase in request.phrases for box in phrase.boxes])


def _phrases_found(read: Grounding, request: Request) -> int:
    """How many phrases are right, words and box; equal phrases are paired by their boxes."""
    found = 0
    for words in {phrase.words for phrase in request.phrases}:
        said = [box for phrase in read.phrases if _plain(phrase.phrase) == words for box in phrase.boxes]
        right = [box for phrase in request.phrases if phrase.words == words for box in phrase.boxes]
        found += sum(overlap > THRESHOLD for overlap in pair(said, right).values())
    return found


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".")


def summarise_tasks(requests: Sequence[Request], scores: Sequence[TaskScore]) -> dict:
    """
    Shares over all answers.

    Returns:
        `dict`: `tasks`, which has the measures of each task by name; `unparsable`, the share of answers that are not in the
        form of their task; and `forms`: of the requests of each task, the share that was answered in each form.
    """
    by_task, by_kind = defaultdict(list), defaultdict(list)
    for request, score in zip(requests, scores, strict=True):
        by_task[request.task].append(score)
        if request.task == "vqa":
            by_kind[request.kind].append(score)
    tasks: dict[str, dict] = {task: {"right": _share(by_task[task])} for task in TASKS if by_task[task]}
    if "refer" in tasks:
        tasks["refer"]["mean_iou"] = _mean(score.iou for score in by_task["refer"])
    for task in tasks.keys() & {"detection", "grounding", "caption"}:
        found = sum(score.found for score in by_task[task])
        tasks[task]["precision"] = found / max(1, sum(score.said for score in by_task[task]))
        tasks[task]["recall"] = found / max(1, sum(score.asked for score in by_task[task]))
    if "vqa" in tasks:
        tasks["vqa"]["by_kind"] = {kind: _share(by_kind[kind]) for kind in sorted(by_kind)}
    forms = {task: {form: _mean(score.form == form for score in by_task[task]) for form in FORMS} for task in tasks}
    unparsable = _mean(score.form != request.task for request, score in zip(requests, scores, strict=True))
    return {"tasks": tasks, "unparsable": unparsable, "forms": forms}


def _share(scores: Sequence[TaskScore]) -> float:
    return _mean(score.right for score in scores)


def _mean(values) -> float:
    values = list(values)
    return sum(values) / len(values) if values else 0.0


_ROWS = {
    "refer": {"right": "[refer] IoU above 0.5", "mean_iou": "[refer] mean IoU"},
    "detection": {
        "precision": "[detection] boxes right of those given (precision)",
        "recall": "[detection] boxes found (recall)",
        "right": "  all boxes and no other",
    },
    "identify": {"right": "[identify] right"},
    "grounding": {
        "precision": "[grounding] phrases right, with their box (precision)",
        "recall": "[grounding] objects found, phrase and box (recall)",
        "right": "  whole answers",
    },
    "vqa": {"right": "[vqa] right"},
    "caption": {
        "right": "[caption] right",
        "precision": "  objects right of those named (precision)",
        "recall": "  objects named (recall)",
    },
}


def task_rows(scores: Mapping) -> Iterator[tuple[str, float]]:
    """Name and share of each score, in the order in which people read them."""
    for task, measures in _ROWS.items():
        for measure, name in measures.items():
            yield name, scores["tasks"][task][measure]
        for kind, value in scores["tasks"][task].get("by_kind", {}).items():
            yield f"  {kind}", value
    yield "failure: answer not in the form of its task", scores["unparsable"]
