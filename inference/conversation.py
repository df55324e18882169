"""A conversation about pictures, of which the model reads every turn once."""

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

    from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
    from minigpt4.processing import MiniGPT4Processor


READING_AHEAD = "reading ahead"  # the name of its thread


class Conversation:
    """What has been said and shown so far, in `turns`.

    A conversation that outgrows what the model reads loses the text of its oldest turns, never a picture; `forgotten`
    says how many turns of text the model no longer sees. When an answer has been given it is read again in the background,
    in the form that the next prompt has it in.

    Args:
        model, processor: As `minigpt4.checkpoints.loading.load` gives them.
        max_new_tokens: Longest answer. Default: what the checkpoint's generation configuration says.
    """

    def __init__(
        self,
        model: "MiniGPT4ForConditionalGeneration",
        processor: "MiniGPT4Processor",
        max_new_tokens: int | None = None,
    ) -> None:
        self.model = model
        self.processor = processor
        self.max_new_tokens = max_new_tokens
        self._stopping = Event()
        self._answering = False
        self._hurry = Event()
        self._reading: Thread | None = None
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._hurry.set()
        self.turns: list[Turn] = []
        self.forgotten = 0
        self._pictures: list[Image] = []
        self._reader = Reader(self.model, self.processor)

    def show(self, picture: "Image") -> None:
        """Show a picture, as it is now, with the next thing that is said."""
        self._pictures.append(load_image(picture).copy())

    def put_away(self) -> None:
        """Take back the pictures that wait for the next thing said."""
        self._pictures = []

    def say(self, text: str, **settings: Any) -> Answer:
        """Print the answer to `text`, and return it.

        Ctrl-C ends an answer early: what was printed of it is part of the conversation; where that is nothing, neither is
        `text`. The same goes for errors, after which the pictures wait for the next thing said.

        Args:
            settings: Of `generate`, for this answer only: `max_new_tokens`, `do_sample`, `temperature`, …
        """
        before = len(self.turns)
        print_pieces(self.stream(text, **settings))
        return self.turns[-1].answer if len(self.turns) > before else Answer("", finished=False)

    def stream(self, text: str, **settings: Any) -> Generator[str, None, None]:
        """Give the answer to `text` piece by piece as it is made; in the end it is the last of `turns`.

        It ends early by `stop` from another thread, by closing the iterator, or by Ctrl-C while a piece is awaited. What
        was given of it is part of the conversation; where that is nothing, neither is `text`, and the pictures wait for
        the next thing said. The same goes for errors.

        Args:
            settings: Of `generate`, for this answer only: `max_new_tokens`, `do_sample`, `temperature`, …

        Raises:
            ContextLimitError: `text` with the pictures is longer than what the model can read.
            RuntimeError: Another answer of this conversation is being made.
        """
        if self._answering:
            raise RuntimeError("an answer is being made: stop it before the next thing is said")
        self._stopping.clear()
        pieces = Pieces()
        made: list[Answer | BaseException] = []
        worker = Thread(target=self._work, args=(text, settings, pieces, made), daemon=True)
        given, answer, forgotten = "", None, self.forgotten
        self._answering = True
        try:
            worker.start()
            for index in count():
                if (piece := self._await(pieces, index)) is None:
                    break
                given += piece
                yield piece
            if isinstance(made[0], BaseException):
                # Kept here, it would keep this frame, and so itself and all that failed.
                raise made.pop()  # type: ignore[misc]  # the one just looked at
            answer = made[0]
        except (GeneratorExit, KeyboardInterrupt):
            answer = Answer(given, finished=False)
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
        """Give another answer to the last turn, or to `text` in its place, with the pictures shown then.

        Otherwise like `stream`. A retry that comes to nothing leaves the turn as it was.

        Raises:
            ValueError: There is no turn yet; and as `stream`.
        """
        if not self.turns:
            raise ValueError("nothing was said yet that could be answered again")
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
        """End the answer that is being made, as soon as its next token is there, and what is read in the background."""
        self._stopping.set()
        self._hurry.set()

    def finish_reading(self) -> None:
        """Wait until nothing is read in the background any more."""
        if self._reading is not None and self._reading.is_alive():  # Ctrl-C may have come before its start
            self._reading.join()
        self._reading = None

    def _read_ahead(self) -> None:
        self._hurry = Event()
        # No daemon: PyTorch must not work on while Python ends.
        work = (self._reader, self.turns, self.forgotten, self._hurry)
        self._reading = Thread(target=self._read, args=work, name=READING_AHEAD)
        self._reading.start()

    @staticmethod
    def _read(reader: Reader, turns: list[Turn], forgotten: int, hurry: Event) -> None:
        with contextlib.suppress(RuntimeError, ValueError):  # the next prompt meets the same, where it can be told
            reader.read_ahead(turns, forgotten, hurry)

    def _await(self, pieces: Pieces, index: int) -> str | None:
        while True:  # words that were held back come before the end
            try:
                return pieces.read(index)
            except KeyboardInterrupt:
                self.stop()

    def _work(self, text: str, settings: dict, pieces: Pieces, made: "list[Answer | BaseException]") -> None:
        """Make the answer in a thread of its own, so that whoever awaits it can end it at any time."""
        try:
            self._hurry.set()
            self.finish_reading()
            if self.max_new_tokens is not None:
                settings = {"max_new_tokens": self.max_new_tokens, **settings}
            streamer = AnswerStreamer(self.processor.tokenizer, self.processor.end_marks, write=pieces.write)
            prompt, self.forgotten = self._reader.fit(self.turns, self.forgotten, text, self._pictures, settings)
            made.append(self._reader.answer(prompt, streamer, self._stopping, settings))
        except BaseException as error:  # raised where the pieces are awaited
            made.append(error)
        pieces.write(None)
