"""Event handlers of the page. Errors become notices on the page."""

import html
import math
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import gradio as gr
from PIL import Image

from minigpt4.app.answering import Answering
from minigpt4.app.chat import Chat
from minigpt4.app.examples import DESCRIBE, examples_for
from minigpt4.app.line import Line
from minigpt4.app.saving import opened, to_json, to_markdown
from minigpt4.app.settings import read_settings
from minigpt4.app.tasks import known_tasks, task_of
from minigpt4.app.uploads import read_uploads
from minigpt4.app.views import data_url
from minigpt4.app.visitors import Visitor, Visitors
from minigpt4.inference.engine import MOST_ROWS, Engine
from minigpt4.processing.boxes import format_box, parse_grounding


if TYPE_CHECKING:
    from minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Processor


CHATS = 64  # kept at once; the one unused for longest is forgotten first
LIFETIME = 3600  # seconds that the chat of somebody who left is kept
WAITING = 32  # questions that may wait for the model

# The outputs of every handler that answers: visitor, log, textbox, notice.
Updates = tuple[Any, Any, Any, Any]


class Actions:
    """
    Event handlers for one model and many users: what belongs to a user is in the `Visitor` that the page hands over.

    Args:
        model (`MiniGPT4ForConditionalGeneration`), processor (`MiniGPT4Processor`): of all chats.
        at_once (`int`, *optional*): questions that are answered together, at most.
    """

    def __init__(
        self, model: "MiniGPT4ForConditionalGeneration", processor: "MiniGPT4Processor", at_once: int = MOST_ROWS
    ) -> None:
        self._shared = model, processor, Engine(model, most_rows=at_once)
        self._image_processor = processor.image_processor
        self._tasks = known_tasks(processor.task_identifiers)
        self._line = Line(WAITING, at_once)
        self._visitors = Visitors(CHATS, LIFETIME)
        self._folder = TemporaryDirectory(prefix="minigpt4-")
        self.examples = examples_for(model.name_or_path, self._folder.name, processor.task_identifiers)

    def arrive(self, key: str, visitor: Visitor) -> Iterator[Updates]:
        """A page is opened or reloaded: show its chat, with an answer that is still being generated."""
        yield from self._resume(self._visitors.find(key, visitor))

    def resume(self, visitor: Visitor) -> Iterator[Updates]:
        """A tab comes to the front: another one may have continued the chat."""
        if visitor.answers:
            yield from self._watch(visitor, {})
        else:  # the notice and the message being written stay
            yield visitor, visitor.chat.messages() if visitor.chat else [], gr.skip(), gr.skip()

    def send(self, message: dict, box: Any, visitor: Visitor, *settings: Any) -> Iterator[Updates]:
        """Send the message in the textbox; it is put back there if that fails."""
        chat = self._chat(visitor)
        if visitor.answers and chat.answering and chat.answering.message == message:  # a double click
            yield from self._watch(visitor, {"value": None})
            return
        try:
            typed, drawn = self._checked(message, box, chat.picture)
        except ValueError as error:
            yield visitor, gr.skip(), gr.skip(), _notice(error)
            return
        read = read_settings(*settings)
        yield from self._answer(visitor, chat.ask(typed, message["files"], drawn, **read), read, message)

    def begin(self, visitor: Visitor, event: gr.EventData, *settings: Any) -> Iterator[Updates]:
        """Start with an example."""
        example = self.examples[event.index]
        yield from self.send(
            {"text": example.text, "files": [example.file]},
            list(example.box) if example.box else None,
            visitor,
            *settings,
        )

    def retry(self, visitor: Visitor, *settings: Any) -> Iterator[Updates]:
        """Answer the last turn again."""
        chat = self._chat(visitor)
        if not chat.conversation.turns:
            yield visitor, [], gr.skip(), _notice("There is no answer to regenerate yet.")
            return
        last, read = len(chat.conversation.turns) - 1, read_settings(*settings)
        yield from self._answer(visitor, chat.ask_again(last, **read), read)

    def edit(self, visitor: Visitor, event: gr.EventData, *settings: Any) -> Iterator[Updates]:
        """Answer an edited message."""
        chat = self._chat(visitor)
        if not chat.conversation.turns:
            yield visitor, [], gr.skip(), _notice("This chat has expired: start a new one.")
            return
        if not str(event.text).strip():
            yield visitor, chat.messages(), gr.skip(), _notice("A message cannot be empty.")
            return
        read = read_settings(*settings)
        yield from self._answer(visitor, chat.ask_again(int(event.turn), str(event.text), **read), read)

    def stop(self, visitor: Visitor) -> None:
        """Stop the answer that is being generated, or waits for its turn."""
        if visitor.chat is not None:
            visitor.chat.stop()

    def clear(self, visitor: Visitor) -> Updates:
        """Start a new chat."""
        visitor.begin()
        return self._view(visitor)

    def undo(self, visitor: Visitor) -> Iterator[Updates]:
        """Back to the chat before."""
        visitor.undo()
        yield from self._resume(visitor)

    def keep(self, visitor: Visitor, held: str) -> str:
        """The chat for the browser to keep, as `save`, without the pictures that it holds: their names, with spaces between."""
        chat = _said(visitor)
        return to_json(chat, held.split()) if chat else ""

    def save(self, visitor: Visitor) -> str:
        """The chat as JSON; nothing where there is none."""
        chat = _said(visitor)
        return to_json(chat) if chat else ""

    def save_markdown(self, visitor: Visitor) -> str:
        """The same as Markdown."""
        chat = _said(visitor)
        return to_markdown(chat) if chat else ""

    def open(self, file: str, visitor: Visitor) -> Iterator[Updates]:
        """Open a saved chat; the one before can be brought back."""
        try:
            with Path(file).open(encoding="utf-8", errors="replace") as opened_file:
                visitor.begin(opened(opened_file.read(), *self._shared))
        except ValueError as error:
            yield visitor, gr.skip(), gr.skip(), _notice(error)
            return
        yield self._view(visitor)

    def reopen(self, kept: str, visitor: Visitor, _: object = None) -> Iterator[Updates]:
        """The chat that the browser kept, where the server has lost it. The last argument is for the browser alone."""
        if kept and not visitor.begun:
            try:
                visitor.begin(opened(kept, *self._shared))
            except ValueError:  # kept by another version of the page
                pass
            else:
                yield self._view(visitor)
                return
        yield visitor, gr.skip(), gr.skip(), gr.skip()

    def undoable(self, visitor: Visitor) -> Any:
        """The button for `undo`, where there is a chat to bring back."""
        return gr.Button(visible=visitor.can_undo)

    def aim(self, message: dict, visitor: Visitor, aimed: str | None) -> tuple[Any, Any, str | None]:
        """Show which task the text is for, and the picture to draw a box on where it takes one; also returns which picture that is."""
        files = message["files"][-1:]
        task = task_of(message["text"] or "")
        if task not in self._tasks:
            return "", gr.HTML(visible=False), None
        if not self._tasks[task].takes_box:
            return task, gr.HTML(visible=False), None
        chat = visitor.chat
        turn = f"shown before turn {len(chat.conversation.turns)}" if chat is not None else None
        name = files[0] if files else turn
        if name is not None and name == aimed:  # reading the picture again with every letter would be slow
            return task, gr.skip(), aimed
        shown = chat.picture if chat is not None else None
        picture: Image.Image | None
        try:
            if files:
                picture = read_uploads(files, self._image_processor)[0].shown
            else:
                picture = Image.open(shown) if shown else None
        except ValueError:  # reported when the message is sent
            picture = None
        if picture is None:
            return task, gr.HTML(visible=False), None
        return task, gr.HTML(value=None, picture=data_url(picture), visible=True), name

    def _checked(self, message: dict, box: Any, picture: str | None) -> tuple[str, str]:
        """What to send: words, and the box that was drawn for them as the model reads it.

        Raises:
            ValueError: The message is empty, or its task lacks words, its box or its picture.
        """
        typed, files = message["text"] or "", message["files"]
        task = self._tasks.get(task_of(typed))
        if task is None:
            if not typed.strip() and not files:
                raise ValueError("There is nothing to send yet: write something, or add a picture.")
            return (typed if typed.strip() else DESCRIBE), ""
        if not picture and not files:
            raise ValueError(f"{task.start.partition(' ')[0]} is about a picture: add one.")
        if typed.strip() in (task.start.strip(), task.start.partition(" ")[0]):
            if not task.default:
                raise ValueError(f"{task.start.partition(' ')[0]} needs words. {task.hint}")
            typed = f"{task.start}{task.default}"
        return typed, _checked_box(box) if task.takes_box and not parse_grounding(typed).boxes else ""

    def _chat(self, visitor: Visitor) -> Chat:
        visitor.chat = visitor.chat or Chat(*self._shared)
        return visitor.chat

    def _answer(
        self,
        visitor: Visitor,
        growing: Generator[list[dict], None, None],
        settings: dict[str, Any],
        message: dict | None = None,
    ) -> Iterator[Updates]:
        """Have an answer made, and show it as it grows."""
        chat = self._chat(visitor)
        while visitor.answers:  # for another tab, or for a message sent just before
            yield from self._watch(visitor, {})
        if visitor.chat is not chat:
            return
        try:
            chat.answering = Answering(chat, growing, self._line, settings["max_new_tokens"], message)
        except ValueError as error:
            yield visitor, gr.skip(), gr.skip(), _notice(error)
            return
        yield from self._watch(visitor, {} if message is None else {"value": None})

    def _resume(self, visitor: Visitor) -> Iterator[Updates]:
        if visitor.answers:
            yield from self._watch(visitor, {})
        else:
            yield self._view(visitor)

    def _watch(self, visitor: Visitor, emptied: dict[str, Any]) -> Iterator[Updates]:
        """Show an answer as it grows, and release the textbox at its end."""
        chat, shown_ahead = visitor.chat, -1
        assert chat is not None
        assert chat.answering is not None
        answering = chat.answering
        busy: Any = gr.MultimodalTextbox(submit_btn=False, stop_btn=True, **emptied)
        for _ in answering.watch():
            messages, ahead = answering.messages, answering.ahead
            if visitor.chat is not chat or answering.ended:
                break
            if messages is None:  # the question's pictures are still being read
                continue
            notice = gr.skip() if ahead == shown_ahead else _waiting(ahead)
            yield visitor, messages, busy, notice
            busy, shown_ahead = gr.skip(), ahead
        if visitor.chat is not chat:  # the last update may have overwritten the new chat
            yield self._view(visitor)
            return
        back = {} if answering.back is None else {"value": answering.back}
        notice = _notice(answering.error) if answering.error else _notice(answering.remark, alert=False)
        yield visitor, chat.messages(), _idle(**back), notice

    def _view(self, visitor: Visitor) -> Updates:
        """The chat, with no answer being generated."""
        return visitor, visitor.chat.messages() if visitor.chat else [], _idle(), _notice()


def _said(visitor: Visitor) -> Chat | None:
    """The visitor's chat, if anything was said in it."""
    chat = visitor.chat
    return chat if chat is not None and chat.conversation.turns else None


_numbers = count()


def _idle(**changes: Any) -> Any:
    return gr.MultimodalTextbox(submit_btn=True, stop_btn=False, **changes)


def _notice(message: object = "", alert: bool = True) -> Any:
    """A line above the textbox, read out by screen readers; empty, it goes away.

    Args:
        message (`str`): the line.
        alert (`bool`): whether it is an error, which disappears when the message is changed, or information.
    """
    line = html.escape(" ".join(str(message).split()))
    kind = 'role="alert"' if alert else 'role="status"'
    # The number makes the same line, shown again, a new one to the browser.
    return gr.HTML(f'<p {kind} data-number="{next(_numbers)}">{line}</p>' if line else "", visible=bool(line))


def _waiting(ahead: int) -> Any:
    return _notice(f"{ahead} ahead of you. The square button cancels." if ahead else "", alert=False)


def _checked_box(box: Any) -> str:
    if not (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(value, int | float) and math.isfinite(value) for value in box)
    ):
        raise ValueError("Draw a box on the picture first.")
    return format_box(box, (100, 100))
