"""A command in a terminal, as a person sees it: what stands on the screen, and what keys do."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pexpect
import pyte


PASTE = "\x1b[200~{}\x1b[201~"  # how terminals mark a pasted block
LEFT, CTRL_C = "\x1b[D", "\x03"


class Terminal:
    """
    A command of the command line in a terminal of its own. Lines that have scrolled away stay to be read.

    Args:
        arguments: What follows `minigpt4`.
        width, height: Of the screen.
        environment: What the terminal says of itself, and more.
    """

    def __init__(self, *arguments: object, width: int, height: int = 24, **environment: str):
        self.screen = pyte.HistoryScreen(width, height, history=1000)
        self.stream = pyte.Stream(self.screen)
        self.screen.write_process_input = self.type  # the terminal answers what the command asks it
        words = ["-m", "minigpt4", *map(str, arguments)]
        # The size is the terminal's.
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self.process = pexpect.spawn(
            sys.executable,
            words,
            dimensions=(height, width),
            encoding="utf-8",
            timeout=120,
            env={**inherited, "TERM": "xterm-256color", **environment},
        )
        self.raw = ""
        self.process.delaybeforesend = None

    def type(self, text: str) -> None:
        self.process.send(text)

    def until(self, holds: Callable[[str], bool]) -> str:
        """Wait until the screen is so, and return it."""
        while not holds(self.text):
            self._read()
        return self.text

    def end(self) -> int:
        """Wait for the end of the command, and return its exit code, as a shell does 128 + N after a signal N: Python may end by
        the signal itself, though the command has heard it, when Ctrl-C came while a library was being imported."""
        try:
            while True:
                self._read()
        except pexpect.EOF:
            self.process.wait()  # closing would interrupt what is still ending
            self.process.close()
        return 128 + self.process.signalstatus if self.process.exitstatus is None else self.process.exitstatus

    def _read(self) -> None:
        piece = self.process.read_nonblocking(65536, timeout=120)
        self.raw += piece
        self.stream.feed(piece)

    @property
    def lines(self) -> list[str]:
        above = ["".join(row[x].data for x in range(self.screen.columns)) for row in self.screen.history.top]
        return [line.rstrip() for line in (*above, *self.screen.display)]

    @property
    def text(self) -> str:
        return "\n".join(self.lines).strip()


@contextmanager
def terminal(*arguments: object, width: int = 80, **environment: str) -> Iterator[Terminal]:
    opened = Terminal(*arguments, width=width, **environment)
    try:
        yield opened
    finally:
        if opened.process.isalive():
            opened.process.kill(signal.SIGKILL)
            opened.process.wait()
