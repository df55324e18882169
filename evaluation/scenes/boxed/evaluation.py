"""Evaluation on held-out scenes with boxes: one request of each task about every scene."""

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, ProcessorMixin

from minigpt4.evaluation.running.run import run_task
from minigpt4.evaluation.tasks.boxed_scenes import boxed_tasks
from minigpt4.inference.asking import Asker
from minigpt4.processing.tasks import TASKS


def evaluate_tasks(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    scenes: int = 1000,
    seed: int = 0,
    batch_size: int = 32,
    identifiers: bool = True,
) -> dict:
    """
    Ask a model for each of MiniGPT-v2's tasks about held-out scenes with boxes, greedily.

    Args: as [`~minigpt4.evaluation.scenes.evaluate_scenes`].

    Returns:
        `dict`: plain values: `scenes`, `seed`, `identifiers`, and what [`summarise_tasks`] gives.
    """
    asker = Asker(model, processor)
    results = [
        run_task(task, asker, Path(), model="", batch_size=batch_size)
        for task in boxed_tasks(scenes, seed, identifiers)
    ]
    figures = {name: dict(result.figures) for name, result in zip(TASKS, results, strict=True)}
    forms = {name: each.pop("forms") for name, each in figures.items()}
    unparsable = sum(each.pop("unparsable") for each in figures.values())
    asked = sum(each.pop("n") for each in figures.values())
    tasks: dict[str, Any] = {name: {"right": each.pop("accuracy"), **each} for name, each in figures.items()}
    made = {"tasks": tasks, "unparsable": unparsable / asked, "forms": forms}
    return {"scenes": scenes, "seed": seed, "identifiers": identifiers, **made}
