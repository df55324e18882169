"""What every command says the same way: notes, progress and errors, all on stderr so that stdout is the answer only."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from minigpt4.checkpoints.strangers import printable


def note(text: str) -> None:
    """Say one line on stderr."""
    print(printable(text), file=sys.stderr, flush=True)


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show that something takes a while, on a terminal only."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(text):
        yield


def progress_bar(visible: bool = True) -> Progress:
    """A bar on stderr with a count and the time left; where stderr is no terminal it stays silent."""
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
