"""Answers that appear while they are generated."""

from collections.abc import Callable, Generator, Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING

from transformers import TextStreamer


if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def show(piece: str) -> None:
    """Print the next piece of an answer."""
    print(piece, end="", flush=True)


def print_pieces(pieces: Generator[str, None, None], write: Callable[[str], object] = show) -> None:
    """Print an answer with `write` as it is generated; Ctrl-C ends it."""
    try:
        for piece in pieces:
            write(piece)
    except KeyboardInterrupt:
        pieces.close()
    print(flush=True)


class Pieces:
    """What one thread writes and another reads, piece by piece; `None` is the end.

    A reader may be interrupted at any moment and ask again; a piece taken from a queue would be lost then.
    """

    def __init__(self) -> None:
        self._written: list[str | None] = []
        self._news: SimpleQueue[None] = SimpleQueue()

    def write(self, piece: str | None) -> None:
        self._written.append(piece)
        self._news.put(None)

    def read(self, index: int) -> str | None:
        """Wait for a piece."""
        while len(self._written) <= index:
            self._news.get()
        return self._written[index]


class AnswerStreamer(TextStreamer):
    """
    Writes an answer word by word, without the mark that ends it.

    A mark such as `###` is a word or the end of one, and words come whole, so no part of it is ever written.

    Args:
        tokenizer (`PreTrainedTokenizerBase`): decodes the answer.
        marks (`Sequence[str]`): marks that end an answer: the processor's `end_marks`.
        write (`Callable[[str], object]`, *optional*, defaults to `show`):
            Receives each piece of the answer. Default: prints it.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        marks: Sequence[str] | None,
        write: Callable[[str], object] = show,
    ) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self.text = ""
        self._marks = marks or ()
        self.write = write
        self._held = ""
        self._ended = False

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        if self._ended:
            return
        held = self._held + text
        end = min((held.index(mark) for mark in self._marks if mark in held), default=None)
        self._ended = end is not None
        # Trailing space is not part of an answer: wait for what follows.
        ready = len(held[:end].rstrip())
        piece, self._held = held[:ready], held[ready:]
        piece = piece if self.text else piece.lstrip()
        if piece:
            self.text += piece
            self.write(piece)
