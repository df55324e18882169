"""Answers about a drawn scene with boxes, in each of MiniGPT-v2's tasks, as nano-v2 is measured."""

from collections.abc import Mapping, Sequence
from typing import Any

from minigpt4.evaluation.scenes.boxed.scoring import TaskScore, score_answer, summarise_tasks
from minigpt4.evaluation.scenes.boxed.wording import Phrase, Request
from minigpt4.evaluation.scenes.boxed.world import BoxedScene
from minigpt4.processing.boxes import Box, parse_grounding


def score(answer: str, target: Mapping[str, Any], *, finished: bool = True) -> dict[str, Any]:
    """
    Compare an answer with what was asked for.

    Args:
        answer (`str`): the model's, with boxes as `{<x1><y1><x2><y2>}` in hundredths.
        target (`dict`):
            `task`, one of MiniGPT-v2's; `answer`, the right one; `kind` of a question; `objects`, what the answer must find, each
            with `label` and `box` (x1, y1, x2, y2 in pixels); `width` and `height` of the picture in pixels.
        finished (`bool`, *optional*, defaults to `True`): whether the model ended it by itself.

    Returns:
        `dict`: `score`, 1.0 where nothing is missing, wrong or too much, else 0.0; `task` and `kind`; what `TaskScore` has; `parsed`,
        the answer's boxes in pixels.
    """
    size = (target["width"], target["height"])
    made = score_answer(BoxedScene("", (), size), _request(target), answer, finished)
    boxes = [list(map(float, box)) for box in parse_grounding(answer, size).boxes]
    names = {"task": target["task"], "kind": target["kind"]}
    return {"score": float(made.right), **names, **vars(made), "parsed": boxes or None}


def _request(target: Mapping[str, Any]) -> Request:
    found = [(one["label"], Box(*one["box"])) for one in target["objects"]]
    phrases = [Phrase(words, (box,)) for words, box in found]
    if target["task"] == "detection":  # one phrase for all of its boxes
        phrases = [Phrase(found[0][0], tuple(box for _, box in found))]
    return Request(target["task"], "", target["answer"], target["kind"], tuple(phrases))


def summarise(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """
    The measures of the task in `summarise_tasks`, with `accuracy` for its `right`; `forms`, the share of answers in the form of
    each task; `unparsable`, the number of those that are not in the form of their own; `n`.
    """
    if not scores:
        return {"accuracy": 0.0, "n": 0, "unparsable": 0}
    names = TaskScore.__dataclass_fields__
    made = [TaskScore(**{name: one[name] for name in names}) for one in scores]
    task = scores[0]["task"]
    summary = summarise_tasks([Request(task, "", "", one["kind"]) for one in scores], made)
    measures = dict(summary["tasks"][task])
    unparsable = sum(one.form != task for one in made)
    return {
        "accuracy": measures.pop("right"),
        **measures,
        "forms": summary["forms"][task],
        "unparsable": unparsable,
        "n": len(scores),
    }
