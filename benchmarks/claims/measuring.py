"""What is measured of a model: on held-out scenes, with evaluation's own tasks."""

from pathlib import Path

from minigpt4.evaluation.running import run_task
from minigpt4.evaluation.scoring import failure_rate
from minigpt4.evaluation.tasks.boxed_scenes import boxed_tasks
from minigpt4.evaluation.tasks.scenes import scene_tasks
from minigpt4.inference.asking import Asker
from minigpt4.loading import load


BATCH_SIZE = 32


def measure(model: Path, scenes: int) -> dict[str, float]:
    """Failures and facts of descriptions, and questions answered right, in per cent. Stage 2 trains no questions."""
    asker, answers = Asker(*load(model)), model / "evaluation"
    descriptions, questions = (
        run_task(task, asker, Path(), model=model.name, output=answers, batch_size=BATCH_SIZE)
        for task in scene_tasks(scenes)
    )
    failed = [failure_rate.score(one["answer"], finished=one["finished"]) for one in descriptions.samples]
    return {
        "failures": 100 * failure_rate.summarise(failed)["failure_rate"],
        "facts": 100 * descriptions.figures["facts"],
        "right": 100 * descriptions.figures["facts_precision"],
        "questions": questions.value,
    }


def measure_tasks(model: Path, scenes: int, identifiers: bool) -> dict[str, float]:
    """Answers that are right of each of MiniGPT-v2's tasks, and their mean, in per cent."""
    asker, answers = Asker(*load(model)), model / "evaluation"
    results = [
        run_task(task, asker, Path(), model=model.name, output=answers, batch_size=BATCH_SIZE)
        for task in boxed_tasks(scenes, identifiers=identifiers)
    ]
    figures = {result.task.removeprefix("boxed-"): result.value for result in results}
    return {"all tasks": sum(figures.values()) / len(figures), **figures}
