"""Answers that appear while they are made."""

from collections.abc import Callable, Generator
from queue import SimpleQueue
from typing import TYPE_CHECKING

from transformers import TextStreamer


if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def show(piece: str) -> None:
    """Print a piece of an answer behind those before it."""
    print(piece, end="", flush=True)


def print_pieces(pieces: Generator[str, None, None]) -> None:
    """Print an answer as it is made; Ctrl-C ends it."""
    try:
        for piece in pieces:
            show(piece)
    except KeyboardInterrupt:
        pieces.close()
    print(flush=True)


class Pieces:
    """What one thread writes and another reads, piece by piece; `None` is the end.

    A reader may be interrupted at any moment, and ask again: what comes out of a queue could be lost then.
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
    """Hands out an answer word by word, without the mark that ends it.

    The mark (`###`) may arrive in pieces, so text that could be the beginning of one is held back until it is clear.

    Args:
        tokenizer: Decodes the answer.
        stop_strings: The marks, as the checkpoint's generation configuration has them.
        write: Gets each piece of the answer. Default: prints it.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        stop_strings: list[str] | None,
        write: Callable[[str], object] = show,
    ) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self.text = ""
        self._marks = list(stop_strings or ())
        self.write = write
        self._held = ""
        self._ended = False

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        if self._ended:
            return
        held = self._held + text
        ready = min((held.index(mark) for mark in self._marks if mark in held), default=None)
        self._ended = ready is not None or stream_end
        if ready is None:
            ready = len(held) - (0 if stream_end else self._possible_mark(held))
        # Space at the end of an answer is no part of it: wait for what follows.
        ready = len(held[:ready].rstrip())
        piece, self._held = held[:ready], held[ready:]
        piece = piece if self.text else piece.lstrip()
        if piece:
            self.text += piece
            self.write(piece)

    def _possible_mark(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of a mark."""
        return max(
            (size for mark in self._marks for size in range(1, len(mark)) if text.endswith(mark[:size])), default=0
        )
