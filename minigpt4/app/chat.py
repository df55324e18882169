"""The chat of one user: a conversation, and what the page shows of it."""

import math
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from PIL import Image

from minigpt4.app.answering import Answering
from minigpt4.app.messages import answer_message, user_message
from minigpt4.app.uploads import read_uploads
from minigpt4.app.views import save_boxes, save_view
from minigpt4.inference.conversation import Conversation
from minigpt4.inference.turns import Answer, Turn
from minigpt4.processing.boxes import parse_grounding
from minigpt4.processing.image_loading import shrunk


if TYPE_CHECKING:
    from minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Processor
    from minigpt4.inference.engine import Engine


# Seconds between two views of a growing answer: a browser that renders every token does not react to clicks.
INTERVAL = 0.05


@dataclass(frozen=True)
class _Shown:
    """What is shown of a turn: what was typed and the box drawn for it, files with its pictures, and with the boxes of its answer.

    `about` is the file with the picture that boxes are about: the last one shown until then.
    """

    typed: str
    box: str
    pictures: list[str]
    about: str | None
    drawn: str | None = None

    @property
    def instruction(self) -> str:
        """What the model reads: the box that was drawn comes last, as the published demo puts it."""
        return f"{self.typed.strip()} {self.box}".strip()


@dataclass(frozen=True)
class Kept:
    """A snapshot of a chat."""

    turns: list[Turn]
    forgotten: int
    shown: list[_Shown]


@dataclass(frozen=True)
class Exchange:
    """A turn with all that a file of the chat holds.

    Args:
        typed (`str`), box (`str`): as in `Chat.ask`.
        pictures (`list[tuple[bytes, Image]]`): sent with it: the file that is shown, and the picture as the model reads it.
        answer (`str`): as the model wrote it.
        finished (`bool`): whether the model ended it.
    """

    typed: str
    box: str
    pictures: list[tuple[bytes, Image.Image]]
    answer: str
    finished: bool


class Chat:
    """
    The conversation of one user, and its messages on the page.

    Args:
        model (`MiniGPT4ForConditionalGeneration`), processor (`MiniGPT4Processor`): shared by all chats.
        engine (`Engine`, *optional*): of the model, where other chats are answered at the same time.
    """

    def __init__(
        self,
        model: "MiniGPT4ForConditionalGeneration",
        processor: "MiniGPT4Processor",
        engine: "Engine | None" = None,
    ) -> None:
        self.conversation = Conversation(model, processor, engine=engine)
        self.answering: Answering | None = None
        self._folder = TemporaryDirectory(prefix="minigpt4-")  # of the pictures shown; goes when the chat goes
        self._image_processor = processor.image_processor
        self._has_boxes = bool(processor.task_identifiers)
        self._shown: list[_Shown] = []

    @property
    def picture(self) -> str | None:
        """The file with the last picture that was shown, which boxes are about."""
        return self._shown[-1].about if self._shown else None

    def ask(self, typed: str, files: list[str], box: str = "", **settings: Any) -> Generator[list[dict], None, None]:
        """Send a message with pictures, and with a box as the model reads it; yields the page's messages repeatedly while the
        answer grows.

        Raises:
            ValueError: as in `read_uploads` and `Conversation.stream`; the chat is unchanged then.
        """
        uploads = read_uploads(files, self._image_processor)
        views = [save_view(upload.shown, self._folder.name) for upload in uploads]
        shown = _Shown(typed, box, views, views[-1] if views else self.picture)
        for upload in uploads:
            self.conversation.show(upload.read)
        try:
            yield from self._grow(shown, self.conversation.stream(shown.instruction, **settings))
        finally:
            self.conversation.put_away()

    def ask_again(self, number: int, typed: str | None = None, **settings: Any) -> Generator[list[dict], None, None]:
        """Answer a turn again, with new text if given; all turns after it are removed."""
        self.conversation.cut(number + 1)
        before = shown = self._shown[number]
        if typed is not None:
            shown = replace(shown, typed=typed, box="" if parse_grounding(typed).boxes else shown.box)
        del self._shown[number:]
        yield from self._grow(shown, self.conversation.retry(shown.instruction, **settings), before)

    def stop(self) -> None:
        """Stop the answer that is being generated."""
        if self.answering is not None:
            self.answering.stop()
        self.conversation.stop()

    @property
    def begun(self) -> bool:
        """Whether there is anything in it."""
        return bool(self.conversation.turns) or (self.answering is not None and not self.answering.ended)

    def kept(self) -> Kept:
        """A snapshot, for `restore`."""
        return Kept(self.conversation.turns, self.conversation.forgotten, [*self._shown])

    def restore(self, kept: Kept) -> None:
        """Go back to a snapshot."""
        self.conversation.turns, self.conversation.forgotten = kept.turns, kept.forgotten
        self._shown = [*kept.shown]

    def exchanges(self) -> list[Exchange]:
        """All turns, as a file of the chat holds them."""
        return [
            Exchange(
                shown.typed,
                shown.box,
                [(Path(file).read_bytes(), read) for file, read in zip(shown.pictures, turn.pictures, strict=True)],
                turn.answer.text,
                turn.answer.finished,
            )
            for turn, shown in zip(self.conversation.turns, [*self._shown], strict=False)
        ]

    def take(self, exchanges: list[Exchange]) -> None:
        """Continue from these turns."""
        for each in exchanges:
            views = []
            for seen, _ in each.pictures:
                with Image.open(BytesIO(seen)) as picture:
                    views.append(save_view(picture.convert("RGB"), self._folder.name))
            shown = _Shown(each.typed, each.box, views, views[-1] if views else self.picture)
            read = tuple(shrunk(picture, self._image_processor) for _, picture in each.pictures)
            turn = Turn(shown.instruction, read, Answer(each.answer, each.finished))
            self._shown.append(replace(shown, drawn=self._draw(each.answer, shown.about)))
            self.conversation.turns = [*self.conversation.turns, turn]

    @property
    def problems(self) -> list[str]:
        """Boxes of the last answer that were corrected or not understood."""
        if not (self._has_boxes and self.conversation.turns):
            return []
        return parse_grounding(self.conversation.turns[-1].answer.text).problems

    def messages(self, growing: _Shown | None = None, answer: str = "") -> list[dict]:
        """All messages, for the page's log; with the turn that is being answered if `growing` is given."""
        turns = [
            (shown, turn.answer.text or "(The answer is empty.)")
            for turn, shown in zip(self.conversation.turns, self._shown, strict=False)
        ]
        if growing is not None:
            turns.append((growing, answer))
        messages = []
        for number, (shown, answered) in enumerate(turns):
            boxes = shown.instruction if self._has_boxes else ""
            messages.append(user_message(number, shown.typed, shown.pictures, boxes, shown.about))
            if answered:
                messages.append(answer_message(number, answered, self._has_boxes, shown.about, shown.drawn))
        return messages

    def _grow(
        self, shown: _Shown, pieces: Generator[str, None, None], before: _Shown | None = None
    ) -> Generator[list[dict], None, None]:
        """The messages while an answer grows. If a retry gives no answer, the turn is shown as `before`."""
        answer = ""
        yield self.messages(shown)
        try:
            shown_at = -math.inf
            with closing(pieces):  # closing it completes the turn, which is looked for below
                for piece in pieces:
                    answer += piece
                    if time.monotonic() - shown_at > INTERVAL:
                        shown_at = time.monotonic()
                        yield self.messages(shown, answer)
        finally:
            if len(self.conversation.turns) > len(self._shown):  # the turn was completed
                turn = self.conversation.turns[-1]
                if before is not None and turn.text != shown.instruction:
                    shown = before
                self._shown.append(replace(shown, drawn=self._draw(turn.answer.text, shown.about)))
        yield self.messages()

    def _draw(self, text: str, about: str | None) -> str | None:
        return save_boxes(text, about, self._folder.name) if self._has_boxes and about is not None else None
