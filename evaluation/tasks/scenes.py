"""Drawn scenes that were never trained on, asked about as by `minigpt4 evaluate scenes` of nano. They need no files."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path

from minigpt4.evaluation.scenes.wording import MAX_NEW_TOKENS

from .task import Sample, Task


SCENES, SEED = 1000, 0


@cache
def _requests(scenes: int, seed: int):
    from minigpt4.evaluation.scenes.held_out import scene_requests

    return scene_requests(scenes, seed)


def read_descriptions(root: Path, scenes: int | None = None, seed: int = SEED) -> Iterator[Sample]:
    """A request to describe each scene."""
    requests = zip(*_requests(scenes or SCENES, seed)[:3], strict=True)
    for number, (scene, picture, instruction) in enumerate(requests):
        target = {"background": scene.background, "objects": [asdict(one) for one in scene.objects]}
        yield Sample(str(number), picture, instruction, target)


def read_questions(root: Path, scenes: int | None = None, seed: int = SEED) -> Iterator[Sample]:
    """Four questions about each scene."""
    _, pictures, _, asked = _requests(scenes or SCENES, seed)
    for number, (scene, question) in enumerate(asked):
        yield Sample(str(number), pictures[scene], question.text, question.answer, kind=question.kind)


def scene_tasks(scenes: int | None = None, seed: int = SEED) -> tuple[Task, Task]:
    """The descriptions and the questions, of so many scenes (default: 1000), which `seed` decides."""
    return (
        Task(
            name="scenes-descriptions",
            title="Drawn scenes: facts right in descriptions",
            read=partial(read_descriptions, scenes=scenes, seed=seed),
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
            read=partial(read_questions, scenes=scenes, seed=seed),
            prompt="{}",
            generation={"max_new_tokens": MAX_NEW_TOKENS},
            metric="scene_answers",
            group="scenes",
            needs_data=False,
        ),
    )


TASKS = scene_tasks()
