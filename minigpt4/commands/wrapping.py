"""Answers in a terminal: lines break between words."""

import re
import shutil
import sys

from rich.cells import cell_len


PARTS = re.compile(r"\n|[^\S\n]+|\S+")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


class WordWrap:
    """
    Prints an answer piece by piece as it is generated. On a terminal, lines break between words at its width, and
    control characters are left out: an answer must not be a command to the terminal.

    Args:
        indent (`int`, *optional*, defaults to 0): columns in front of each line but the first.
        column (`int`, *optional*, defaults to 0): where the cursor is.
    """

    def __init__(self, indent: int = 0, column: int = 0) -> None:
        self._indent = indent
        self._column = column
        self._space = ""
        self._terminal = sys.stdout.isatty()

    def write(self, piece: str) -> None:
        """Print the next piece: whole words."""
        if self._terminal:
            piece = "".join(map(self._place, PARTS.findall(CONTROL.sub("", piece))))
        print(piece, end="", flush=True)

    def _place(self, part: str) -> str:
        """What to print for one word, space or line break."""
        if part.isspace() and part != "\n":
            self._space = part
            return ""
        width = shutil.get_terminal_size().columns  # it may have changed
        before, self._space = self._space, ""
        if part == "\n" or (self._column > self._indent and self._column + cell_len(before + part) > width):
            before = "\n" + " " * self._indent
            self._column = self._indent
        else:
            self._column += cell_len(before)
        if part == "\n":
            return before
        # A word that is longer than a line is broken by the terminal.
        self._column = (self._column + cell_len(part) - 1) % width + 1
        return before + part
