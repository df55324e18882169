"""How parts that learn side by side show their steps: each in a process of its own, all drawn by the one that started them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


LINES = 50  # of each part where no bar can be drawn

_reports: Any = None  # where this process sends its steps; `None` where nobody asked for them


@dataclass(frozen=True)
class Step:
    """What is reported: `step` of `total` steps of the part called `title`, whose last known loss is `loss`."""

    title: str
    step: int
    total: int
    loss: float | None = None


class _StepsPerSecond(ProgressColumn):
    def render(self, task) -> Text:
        return Text(f"{task.speed:.3g} steps/s" if task.speed else "")


class Steps:
    """
    A bar for each part with its step, loss, steps/s and the time left; where there is no terminal, lines.

    Args:
        console (`rich.console.Console`, *optional*): where to; default stderr.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            _StepsPerSecond(),
            TimeRemainingColumn(),
            console=self.console,
            expand=True,
            disable=not self.console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def show(self, step: Step) -> None:
        """Show where a part is."""
        loss = "" if step.loss is None else f"loss {step.loss:.4f}"
        if step.title not in self._tasks:
            self._tasks[step.title] = self.bars.add_task(step.title, total=step.total, completed=step.step, loss=loss)
        else:
            changed: dict[str, Any] = {"loss": loss} if loss else {}
            self.bars.update(self._tasks[step.title], completed=step.step, **changed)
        if not self.console.is_terminal and step.step % max(1, step.total // LINES) == 0:
            self.console.print(
                f"{step.title}  {step.step}/{step.total}  {loss}".rstrip(), soft_wrap=True, markup=False
            )


def report(step: Step) -> None:
    """Tell the process that started this one where it is."""
    if _reports is not None:
        _reports.put(step)


def report_to(reports: Any) -> None:
    """Have this process report to a queue."""
    global _reports
    _reports = reports


@contextmanager
def shown(reports: Any, steps: Steps | None = None) -> Iterator[None]:
    """Show what comes out of a queue."""
    steps = steps or Steps()

    def draw() -> None:
        while (step := reports.get()) is not None:
            steps.show(step)

    drawing = Thread(target=draw, daemon=True)
    with steps.bars:
        drawing.start()
        try:
            yield
        finally:
            reports.put(None)
            drawing.join()
