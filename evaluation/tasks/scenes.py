"""Drawn scenes that were never trained on, asked about as by `minigpt4 evaluate scenes` of nano. They need no files."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path

from minigpt4.evaluation.scenes.wording import MAX_NEW_TOKENS

from .task import Sample, Task


SCENES, SEED = 1000, 0


@cache
def _requests(scenes: int):
    from minigpt4.evaluation.scenes.evaluation import requests

    return requests(scenes, SEED)


def read_descriptions(root: Path) -> Iterator[Sample]:
    """A request to describe each scene."""
    for number, (scene, picture, instruction) in enumerate(zip(*_requests(SCENES)[:3], strict=True)):
        target = {"background": scene.background, "objects": [asdict(one) for one in scene.objects]}
        yield Sample(str(number), picture, instruction, target)


def read_questions(root: Path) -> Iterator[Sample]:
    """Four questions about each scene."""
    _, pictures, _, asked = _requests(SCENES)
    for number, (scene, question) in enumerate(asked):
        yield Sample(str(number), pictures[scene], question.text, question.answer, kind=question.kind)


TASKS = (
    Task(
        name="scenes-descriptions",
        title="Drawn scenes: facts right in descriptions",
        read=read_descriptions,
        prompt="{}",
        generation={"max_new_tokens": MAX_NEW_TOKENS},
        metric="scene_facts",
        figure="facts",
        group="scenes",
        needs_data=False,
    ),
    Task(
        name="scenes-questions",
        title="Drawn scenes: questions answered right",
        read=read_questions,
        prompt="{}",
        generation={"max_new_tokens": MAX_NEW_TOKENS},
        metric="scene_answers",
        group="scenes",
        needs_data=False,
    ),
)
