"""Drawn scenes with boxes that were never trained on: each of MiniGPT-v2's tasks, as by `minigpt4 evaluate scenes` of nano-v2.
They need no files."""

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from minigpt4.processing.tasks import TASKS as WORDINGS

from .task import Sample, Task


SCENES, SEED = 1000, 0
# What a right answer of six objects needs in tokens that are digits, with room for a wrong one.
MAX_NEW_TOKENS = {"vqa": 20, "caption": 100, "grounding": 300, "refer": 30, "identify": 30, "detection": 200}
TITLES = {
    "vqa": "questions answered right",
    "caption": "captions right",
    "grounding": "descriptions with all boxes right",
    "refer": "IoU above 0.5",
    "identify": "things in a box named right",
    "detection": "all boxes of a kind and no other",
}


@cache
def _requests(scenes: int, seed: int):
    from minigpt4.evaluation.scenes.boxed.held_out import boxed_requests

    return boxed_requests(scenes, seed)


def read(root: Path, task: str, scenes: int | None = None, seed: int = SEED) -> Iterator[Sample]:
    """A request of `task` about each scene, in a published wording."""
    held_out, pictures, requests = _requests(scenes or SCENES, seed)
    for number, (scene, picture, made) in enumerate(zip(held_out, pictures, requests[task], strict=True)):
        boxes = [{"label": words, "box": list(box)} for words, found in made.phrases for box in found]
        width, height = scene.size
        target = {"task": task, "answer": made.answer, "kind": made.kind, "width": width, "height": height}
        yield Sample(str(number), picture, made.words, target | {"objects": boxes}, kind=made.kind)


def boxed_tasks(scenes: int | None = None, seed: int = SEED, identifiers: bool = True) -> tuple[Task, ...]:
    """
    A task for each of MiniGPT-v2's.

    Args:
        scenes (`int`, *optional*): how many there are. Default: 1000.
        seed (`int`, defaults to 0): decides pictures and requests.
        identifiers (`bool`, defaults to `True`): without them the same requests are made without `[refer]` and so on.
    """
    most = max(MAX_NEW_TOKENS.values())
    return tuple(
        Task(
            name=f"boxed-{name}",
            title=f"Boxed scenes: [{name}] {TITLES[name]}",
            read=partial(read, task=name, scenes=scenes, seed=seed),
            prompt=f"[{name}] {{}}" if identifiers else "{}",
            # Without its identifier a request may be answered in the form of any task.
            generation={"max_new_tokens": MAX_NEW_TOKENS[name] if identifiers else most},
            metric="boxed_answers",
            group="boxed-scenes",
            needs_data=False,
        )
        for name in WORDINGS
    )


TASKS = boxed_tasks()
