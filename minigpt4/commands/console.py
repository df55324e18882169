"""Notes and progress of all commands, on stderr: stdout is for results."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from minigpt4.checkpoints.strangers import printable


def note(text: str) -> None:
    """Print one line on stderr."""
    print(printable(text), file=sys.stderr, flush=True)


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show what is being done while it takes a while, on a terminal only."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(text):
        yield


def progress_bar(visible: bool = True) -> Progress:
    """A bar on stderr with a count and the time left; silent where stderr is not a terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not (visible and console.is_terminal),
        # Lines printed meanwhile go above the bar; never to stderr when stdout is a file.
        redirect_stdout=sys.stdout.isatty(),
    )
