"""The chat of one user: a conversation, and what the page shows of it."""

import html
import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from minigpt4.app.uploads import read_uploads
from minigpt4.app.views import save_boxes, save_view
from minigpt4.inference.conversation import Conversation
from minigpt4.processing.boxes import parse_grounding
from minigpt4.processing.drawing import coloured_text, ink_on


if TYPE_CHECKING:
    from minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Processor


# Seconds between two views of a growing answer: a browser that renders every token does not react to clicks.
INTERVAL = 0.05


@dataclass(frozen=True)
class _Shown:
    """What is shown of a turn besides its words: files with its pictures, and with the boxes of its answer.

    `about` is the file with the picture that boxes are about: the last one shown until then.
    """

    pictures: list[str]
    about: str | None
    boxes: str | None = None


class Chat:
    """
    The conversation of one user, and its messages on the page.

    Args:
        model (`MiniGPT4ForConditionalGeneration`), processor (`MiniGPT4Processor`): shared by all chats.
    """

    def __init__(self, model: "MiniGPT4ForConditionalGeneration", processor: "MiniGPT4Processor") -> None:
        self.conversation = Conversation(model, processor)
        self.ended = False
        self._folder = TemporaryDirectory(prefix="minigpt4-")  # of the pictures shown; goes when the chat goes
        self._image_processor = processor.image_processor
        self._has_boxes = bool(processor.task_identifiers)
        self._shown: list[_Shown] = []

    @property
    def picture(self) -> str | None:
        """The file with the last picture that was shown, which boxes are about."""
        return self._shown[-1].about if self._shown else None

    def ask(self, text: str, files: list[str], **settings: Any) -> Generator[list[dict], None, None]:
        """Send a message with pictures; yields the page's messages repeatedly while the answer grows.

        Raises:
            ValueError: as in `read_uploads` and `Conversation.stream`; the chat is unchanged then.
        """
        uploads = read_uploads(files, self._image_processor)
        views = [save_view(upload.shown, self._folder.name) for upload in uploads]
        about = views[-1] if views else self.picture
        for upload in uploads:
            self.conversation.show(upload.read)
        try:
            yield from self._grow(text, views, about, self.conversation.stream(text, **settings))
        finally:
            self.conversation.put_away()

    def ask_again(self, number: int, text: str | None = None, **settings: Any) -> Generator[list[dict], None, None]:
        """Answer a turn again, with new text if given; all turns after it are removed."""
        turn = self.conversation.turns[number]
        self.conversation.cut(number + 1)
        shown = self._shown[number]
        views = shown.pictures[: len(turn.pictures)]
        del self._shown[number:]
        text = turn.text if text is None else text
        yield from self._grow(text, views, shown.about, self.conversation.retry(text, **settings))

    def end(self) -> None:
        """End the chat, and the answer that is being generated."""
        self.ended = True
        self.conversation.stop()

    @property
    def problems(self) -> list[str]:
        """Boxes of the last answer that were corrected or not understood."""
        if not (self._has_boxes and self.conversation.turns):
            return []
        return parse_grounding(self.conversation.turns[-1].answer.text).problems

    def turn_of(self, message: int) -> int:
        """Which turn a message on the page belongs to."""
        return self._turns[message]

    def messages(self, question: str = "", shown: _Shown | None = None, answer: str = "") -> list[dict]:
        """All messages, for `gr.Chatbot`; with the turn that is being answered if `shown` is given."""
        exchanges = [
            (turn.text, turn.answer.text or "(The answer is empty.)", view)
            for turn, view in zip(self.conversation.turns, self._shown, strict=False)
        ]
        if shown is not None:
            exchanges.append((question, answer, shown))
        messages, self._turns = [], []
        for number, (said, answered, view) in enumerate(exchanges):
            parts: list[tuple[str, Any]] = [("user", {"path": path, "alt_text": "picture"}) for path in view.pictures]
            parts += [("user", said)]
            if answered:
                parts += [("assistant", self._words(answered))]
            if view.boxes:
                parts += [("assistant", {"path": view.boxes, "alt_text": "the picture with boxes"})]
            messages += [{"role": role, "content": content} for role, content in parts]
            self._turns += [number] * len(parts)
        return messages

    def _grow(
        self, question: str, views: list[str], about: str | None, pieces: Iterator[str]
    ) -> Generator[list[dict], None, None]:
        shown, answer = self._show(question, "", views, about), ""
        yield self.messages(question, shown)
        try:
            shown_at = -math.inf
            for piece in pieces:
                answer += piece
                if time.monotonic() - shown_at > INTERVAL:
                    shown_at = time.monotonic()
                    yield self.messages(question, shown, answer)
        finally:
            if len(self.conversation.turns) > len(self._shown):  # a turn came of it
                turn = self.conversation.turns[-1]
                self._shown.append(self._show(turn.text, turn.answer.text, views, about))
        yield self.messages()

    def _show(self, question: str, answer: str, views: list[str], about: str | None) -> _Shown:
        asked = self._draw(question, about)
        return _Shown([*views, asked] if asked else views, about, self._draw(answer, about))

    def _draw(self, text: str, about: str | None) -> str | None:
        return save_boxes(text, about, self._folder.name) if self._has_boxes and about is not None else None

    def _words(self, answer: str) -> str:
        """An answer as the page shows it: Markdown, or words in the colours of their boxes."""
        if not self._has_boxes:
            return answer
        grounding = parse_grounding(answer)
        pieces = [
            f'<mark style="background-color: {colour}; color: {ink_on(colour)}">{html.escape(words)}</mark>'
            if colour
            else html.escape(words)
            for words, colour in coloured_text(grounding)
        ]
        return "".join(pieces) or html.escape(answer)  # boxes alone
