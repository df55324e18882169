"""What a run shows while it trains: a line for each log, and on a terminal a bar below them."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from transformers import TrainerCallback
from transformers.trainer_utils import has_length


# How a run shows what it is busy with before the first step.
Waiting = Callable[[str], AbstractContextManager]


class TrainingProgress(TrainerCallback):
    """
    Columns on stderr in place of dictionaries: step, loss, rate (the learning rate), samples/s, and the time left.

    Evaluations are lines of their own, with whatever they measured.
    """

    def __init__(self):
        self.console = Console(stderr=True, highlight=False)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            expand=True,
            disable=not self.console.is_terminal,
        )
        self.training: TaskID | None = None
        self.evaluating: TaskID | None = None
        self.started, self.first = 0.0, 0
        self.width = 0  # of the column of steps; 0: the names of the columns are not printed yet

    def on_train_begin(self, args, state, control, **kwargs):
        self.started, self.first, self.width = time.perf_counter(), state.global_step, 0
        if state.is_world_process_zero:
            self.training = self.bar.add_task("Training", total=state.max_steps, completed=state.global_step)
            self.bar.start()

    def on_step_end(self, args, state, control, **kwargs):
        if self.training is not None:
            self.bar.update(self.training, completed=state.global_step)

    def on_prediction_step(self, args, state, control, eval_dataloader=None, **kwargs):
        if self.training is None:
            return
        if self.evaluating is None:
            total = len(eval_dataloader) if has_length(eval_dataloader) else None
            self.evaluating = self.bar.add_task("Evaluating", total=total)
        self.bar.advance(self.evaluating)

    def on_evaluate(self, args, state, control, **kwargs):
        if self.evaluating is not None:
            self.bar.remove_task(self.evaluating)
            self.evaluating = None

    def on_log(self, args, state, control, logs=None, **kwargs):
        if self.training is None or not logs:
            return
        if "loss" in logs:
            self._print_row(state, logs)
        elif "train_runtime" in logs:
            took = timedelta(seconds=round(logs["train_runtime"]))
            steps = state.global_step - self.first
            self._print(f"{steps} steps in {took}, mean loss {logs['train_loss']:.4g}")
        else:
            speeds = ("epoch", "_runtime", "_per_second")
            measured = {name: value for name, value in logs.items() if not name.endswith(speeds)}
            named = ", ".join(f"{name} {value:.4g}" for name, value in measured.items() if isinstance(value, float))
            self._print(f"{state.global_step:>{max(self.width, 4)}}  {named}")

    def on_train_end(self, args, state, control, **kwargs):
        self.close()

    def close(self) -> None:
        """Remove the bar, also after an error."""
        if self.bar.live.is_started:
            self.bar.stop()

    def _print_row(self, state, logs: dict) -> None:
        terminal = self.console.is_terminal  # where the bar shows the number of steps and the time left
        if not self.width:
            self.width = max(4, len(f"{state.max_steps}") * (1 if terminal else 2) + (not terminal))
            self._print(
                f"{'step':>{self.width}}  {'loss':>8}  {'rate':>8}  samples/s" + ("" if terminal else "  left")
            )
        step = f"{state.global_step}" if terminal else f"{state.global_step}/{state.max_steps}"
        row = f"{step:>{self.width}}  {logs['loss']:>8.4g}  {logs.get('learning_rate', 0.0):>8.2g}"
        row += f"  {logs.get('samples_per_second', 0.0):>9.4g}"
        if not terminal:
            each = (time.perf_counter() - self.started) / max(1, state.global_step - self.first)
            row += f"  {timedelta(seconds=round(each * (state.max_steps - state.global_step)))}"
        self._print(row)

    def _print(self, line: str) -> None:
        # The console does not break lines, which files and terminals of any width keep whole.
        self.console.print(line, soft_wrap=not self.console.is_terminal, markup=False)
