"""Scores of tasks of evaluation while a model learns."""

import time
from collections.abc import Sequence
from pathlib import Path

from transformers import Trainer, TrainerCallback
from transformers.integrations import is_deepspeed_zero3_enabled

from minigpt4.evaluation.running import run_task
from minigpt4.evaluation.tasks import Task, find_tasks
from minigpt4.inference.asking import Asker


RUNTIME = "eval_tasks_runtime"


def tasks_of(names: Sequence[str]) -> list[Task]:
    """
    The tasks of these names or groups.

    Raises:
        ValueError: there is no such task, or it needs somebody to judge answers.
    """
    tasks = find_tasks(*names)
    for task in tasks:
        if task.judged or task.by_people:
            raise ValueError(
                f"eval_tasks has {task.name}, whose answers must be judged: run it with minigpt4 evaluate."
            )
    return tasks


class TaskScores(TrainerCallback):
    """
    Runs tasks at every evaluation. Their scores are logged, and are among the metrics of the evaluation, as `eval_TASK`.

    Args:
        trainer (`StageTrainer`): its model answers; processes share the samples.
        tasks (`Sequence[Task]`): which ones.
        data (`Path`): folder of their files.
        samples (`int`, *optional*): maximum number of samples of each.

    Raises:
        ValueError: the model is spread over several devices, which would have to answer in step.
    """

    def __init__(self, trainer: Trainer, tasks: Sequence[Task], data: Path, samples: int | None = None):
        if trainer.is_fsdp_enabled or is_deepspeed_zero3_enabled():
            raise ValueError("eval_tasks needs the whole model on each device: leave them out with FSDP or ZeRO-3.")
        self.trainer, self.tasks, self.data, self.samples = trainer, tasks, data, samples

    def on_evaluate(self, args, state, control, metrics=None, **kwargs):
        started = time.perf_counter()
        model = self.trainer.model
        was_training = model.training
        model.eval()
        asker = Asker(model, self.trainer.processing_class)
        batch_size = args.per_device_eval_batch_size
        scores = {}
        try:
            with self.trainer.accelerator.autocast():
                for task in self.tasks:
                    result = run_task(
                        task, asker, self.data, model=args.output_dir, limit=self.samples, batch_size=batch_size
                    )
                    scores[f"eval_{task.name}"] = result.value
        finally:
            model.train(was_training)
        if metrics is not None:
            metrics.update(scores)  # what Trainer chooses the best checkpoint by
        self.trainer.log({**scores, RUNTIME: time.perf_counter() - started})
