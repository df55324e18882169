"""Notes and progress of all commands, on stderr: stdout is for results."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from minigpt4.checkpoints.strangers import printable


def note(text: str) -> None:
    """Print one line on stderr. On a terminal it breaks between words, never in a path."""
    print(_wrapped(printable(text), sys.stderr), file=sys.stderr, flush=True)


def say(text: str) -> None:
    """Print lines on stdout. On a terminal they break as those of `note`."""
    print("\n".join(_wrapped(line, sys.stdout) for line in text.splitlines()), flush=True)


def _wrapped(line: str, file: TextIO) -> str:
    if not file.isatty():
        return line
    width = shutil.get_terminal_size().columns
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def print_pairs(pairs: Mapping[str, str]) -> None:
    """Print names with what they mean, in two columns on stdout."""
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=max(map(len, pairs)))
    for name, meaning in pairs.items():
        table.add_row(Text(name), Text(meaning))
    Console().print(table)


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
        SpinnerColumn(),  # turns while the bar stands
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[done]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        expand=True,
        disable=not (visible and console.is_terminal),
        # Lines printed meanwhile go above the bar; never to stderr when stdout is a file.
        redirect_stdout=sys.stdout.isatty(),
    )
