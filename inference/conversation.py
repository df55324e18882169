"""A conversation about pictures, in which the model reads each turn only once."""

import contextlib
from collections.abc import Generator
from itertools import count
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from minigpt4.inference.reading import Reader
from minigpt4.inference.streaming import AnswerStreamer, Pieces, print_pieces
from minigpt4.inference.turns import Answer, Turn
from minigpt4.processing.image_loading import load_image


if TYPE_CHECKING:
    from PIL.Image import Image

    from minigpt4.inference.engine import Engine
    from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
    from minigpt4.processing import MiniGPT4Processor


READING_AHEAD = "reading ahead"  # the name of its thread


class Conversation:
    """
    A conversation with the model; `turns` holds it.

    A conversation that outgrows the model's context loses the text of its oldest turns, never a picture; `forgotten` is
    the number of turns whose text the model no longer sees. After each answer, what every next prompt begins with is read
    in the background.

    Args:
        model (`MiniGPT4ForConditionalGeneration`), processor (`MiniGPT4Processor`):
            As `minigpt4.checkpoints.loading.load` returns them.
        max_new_tokens (`int`, *optional*):
            Maximum length of an answer. Default: that of the checkpoint's generation configuration.
        engine (`Engine`, *optional*): of the model, where other conversations use it at the same time.
    """

    def __init__(
        self,
        model: "MiniGPT4ForConditionalGeneration",
        processor: "MiniGPT4Processor",
        max_new_tokens: int | None = None,
        engine: "Engine | None" = None,
    ) -> None:
        self.model = model
        self.processor = processor
        self.engine = engine
        self.max_new_tokens = max_new_tokens
        self._stopping = Event()
        self._answering = False
        self._interrupt = Event()
        self._reading: Thread | None = None
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._interrupt.set()
        self.turns: list[Turn] = []
        self.forgotten = 0
        self._pictures: list[Image] = []
        self._reader = Reader(self.model, self.processor, self.engine)

    def show(self, picture: "Image") -> None:
        """Show a picture, as it is now, with the next message."""
        self._pictures.append(load_image(picture).copy())

    def put_away(self) -> None:
        """Take back the pictures that wait for the next message."""
        self._pictures = []

    def say(self, text: str, **settings: Any) -> Answer:
        """
        Print the answer to `text`, and return it.

        Ctrl-C ends an answer early: what was printed of it is part of the conversation; if nothing was, `text` is not
        either. The same goes for errors, after which the pictures wait for the next message.

        Args:
            settings: of `generate`, for this answer only: `max_new_tokens`, `do_sample`, `temperature`, …
        """
        before = len(self.turns)
        print_pieces(self.stream(text, **settings))
        return self.turns[-1].answer if len(self.turns) > before else Answer("", finished=False)

    def stream(self, text: str, **settings: Any) -> Generator[str, None, None]:
        """
        Yield the answer to `text` piece by piece as it is generated; at the end it is the last of `turns`.

        It ends early by `stop` from another thread, by closing the iterator, or by Ctrl-C while a piece is awaited. What
        was yielded of it is part of the conversation; if nothing was, `text` is not either, and the pictures wait for the
        next message. The same goes for errors.

        Args:
            settings: of `generate`, for this answer only: `max_new_tokens`, `do_sample`, `temperature`, …

        Raises:
            ContextLimitError: `text` with the pictures is longer than what the model can read.
            RuntimeError: another answer of this conversation is being generated.
        """
        if self._answering:
            raise RuntimeError("an answer is being generated: stop it before the next message")
        self._stopping.clear()
        pieces = Pieces()
        results: list[Answer | BaseException] = []
        worker = Thread(target=self._work, args=(text, settings, pieces, results), daemon=True)
        shown, answer, forgotten = "", None, self.forgotten
        self._answering = True
        try:
            worker.start()
            for index in count():
                if (piece := self._await(pieces, index)) is None:
                    break
                shown += piece
                yield piece
            if isinstance(results[0], BaseException):
                # Kept here, it would keep this frame, and so itself and all that failed.
                raise results.pop()  # type: ignore[misc]  # the one just looked at
            answer = results[0]
        except (GeneratorExit, KeyboardInterrupt):
            answer = Answer(shown, finished=False)
            raise
        finally:
            while self._answering:
                with contextlib.suppress(KeyboardInterrupt):  # it ends with its next token
                    self.stop()
                    while worker.is_alive():
                        worker.join()
                    self._answering = False
            if answer is not None and (answer.text or answer.finished):
                self.turns = [*self.turns, Turn(text, tuple(self._pictures), answer)]
                self._pictures = []
                self._read_ahead()
            else:
                self.forgotten = forgotten

    def retry(self, text: str | None = None, **settings: Any) -> Generator[str, None, None]:
        """
        Answer the last turn again, or `text` in its place, with the pictures shown then.

        Otherwise like `stream`. A retry without an answer leaves the turn as it was.

        Raises:
            ValueError: there is no turn yet; and as `stream`.
        """
        if not self.turns:
            raise ValueError("there is no turn to answer again yet")
        turns, waiting = self.turns, self._pictures
        self.turns, self._pictures = turns[:-1], list(turns[-1].pictures)
        try:
            yield from self.stream(turns[-1].text if text is None else text, **settings)
        finally:
            if len(self.turns) < len(turns):
                self.turns = turns
            self._pictures = waiting

    def cut(self, turns: int) -> None:
        """Keep the first `turns` turns only. To edit turn n, keep n + 1 of them and `retry` with its new text."""
        self.turns = self.turns[:turns]
        self.forgotten = 0  # what is left may fit again

    def stop(self) -> None:
        """End the answer that is being generated at its next token, and what is read in the background."""
        self._stopping.set()
        self._interrupt.set()

    def finish_reading(self) -> None:
        """Wait until nothing is read in the background any more."""
        if self._reading is not None and self._reading.is_alive():  # Ctrl-C may have come before its start
            self._reading.join()
        self._reading = None

    def _read_ahead(self) -> None:
        self._interrupt = Event()
        # No daemon: PyTorch must not work on while Python ends.
        work = (self._reader, self.turns, self.forgotten, self._interrupt)
        self._reading = Thread(target=self._read, args=work, name=READING_AHEAD)
        self._reading.start()

    @staticmethod
    def _read(reader: Reader, turns: list[Turn], forgotten: int, interrupt: Event) -> None:
        with contextlib.suppress(
            RuntimeError, ValueError
        ):  # the next prompt fails the same way, where it can be reported
            reader.read_ahead(turns, forgotten, interrupt)

    def _await(self, pieces: Pieces, index: int) -> str | None:
        while True:  # words that were held back come before the end
            try:
                return pieces.read(index)
            except KeyboardInterrupt:
                self.stop()

    def _work(self, text: str, settings: dict, pieces: Pieces, results: "list[Answer | BaseException]") -> None:
        """Generate the answer in a thread of its own, so that it can be ended at any time."""
        try:
            self._interrupt.set()
            self.finish_reading()
            if self.max_new_tokens is not None:
                settings = {"max_new_tokens": self.max_new_tokens, **settings}
            streamer = AnswerStreamer(self.processor.tokenizer, self.processor.end_marks, write=pieces.write)
            prompt, self.forgotten = self._reader.fit(self.turns, self.forgotten, text, self._pictures, settings)
            results.append(self._reader.answer(prompt, streamer, self._stopping, settings))
        except BaseException as error:  # raised where the pieces are awaited
            results.append(error)
        pieces.write(None)
