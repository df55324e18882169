"""Event handlers of the page. Errors become notices on the page."""

import html
import math
import sys
import traceback
from collections.abc import Generator, Iterator
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import gradio as gr
from PIL import Image

from minigpt4.app.chat import Chat
from minigpt4.app.examples import DESCRIBE, examples_for
from minigpt4.app.settings import read_settings
from minigpt4.app.tasks import known_tasks, task_of
from minigpt4.app.uploads import read_uploads
from minigpt4.app.views import data_url
from minigpt4.processing.boxes import format_box, parse_grounding


if TYPE_CHECKING:
    from minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Processor


# The outputs of every handler that answers: chat, log, textbox, notice.
Updates = tuple[Any, Any, Any, Any]


class Actions:
    """Event handlers for one model and many users: what belongs to a user is in the `Chat` that the page hands over."""

    def __init__(self, model: "MiniGPT4ForConditionalGeneration", processor: "MiniGPT4Processor") -> None:
        self._model = model
        self._processor = processor
        self._tasks = known_tasks(processor.task_identifiers)
        self._folder = TemporaryDirectory(prefix="minigpt4-")
        self.examples = examples_for(model.name_or_path, self._folder.name, processor.task_identifiers)

    def send(self, message: dict, box: Any, chat: Chat | None, *settings: Any) -> Iterator[Updates]:
        """Send the message in the textbox; it is put back there if that fails."""
        if chat is None or chat.ended:  # a last view of an ended chat may come after `clear`
            chat = Chat(self._model, self._processor)
        try:
            typed, drawn = self._checked(message, box, chat.picture)
        except ValueError as error:
            yield chat, gr.skip(), gr.skip(), _notice(error)
            return
        yield from self._answer(chat, chat.ask(typed, message["files"], drawn, **read_settings(*settings)), message)

    def begin(self, chat: Chat | None, event: gr.EventData, *settings: Any) -> Iterator[Updates]:
        """Start with an example."""
        example = self.examples[event.index]
        yield from self.send(
            {"text": example.text, "files": [example.file]},
            list(example.box) if example.box else None,
            chat,
            *settings,
        )

    def retry(self, chat: Chat | None, *settings: Any) -> Iterator[Updates]:
        """Answer the last turn again."""
        if chat is None or not chat.conversation.turns:
            yield chat, [], gr.skip(), _notice("There is no answer to regenerate yet.")
            return
        last = len(chat.conversation.turns) - 1
        yield from self._answer(chat, chat.ask_again(last, **read_settings(*settings)))

    def edit(self, chat: Chat | None, event: gr.EventData, *settings: Any) -> Iterator[Updates]:
        """Answer an edited message."""
        if chat is None:
            yield chat, [], gr.skip(), _notice("This chat has expired: start a new one.")
            return
        if not str(event.text).strip():
            yield chat, chat.messages(), gr.skip(), _notice("A message cannot be empty.")
            return
        yield from self._answer(chat, chat.ask_again(int(event.turn), str(event.text), **read_settings(*settings)))

    def stop(self, chat: Chat | None) -> None:
        """Stop the answer that is being generated."""
        if chat is not None:
            chat.conversation.stop()

    def clear(self, chat: Chat | None) -> Updates:
        """Start a new chat."""
        if chat is not None:
            chat.end()
        return _cleared()

    def aim(self, message: dict, chat: Chat | None, aimed: str | None) -> tuple[Any, Any, str | None]:
        """Show which task the text is for, and the picture to draw a box on where it takes one; also returns which picture that is."""
        files = message["files"][-1:]
        task = task_of(message["text"] or "")
        if task not in self._tasks:
            return "", gr.HTML(visible=False), None
        if not self._tasks[task].takes_box:
            return task, gr.HTML(visible=False), None
        turn = f"shown before turn {len(chat.conversation.turns)}" if chat is not None else None
        name = files[0] if files else turn
        if name is not None and name == aimed:  # reading it again with every letter typed would be slow
            return task, gr.skip(), aimed
        shown = chat.picture if chat is not None else None
        picture: Image.Image | None
        try:
            if files:
                picture = read_uploads(files, self._processor.image_processor)[0].shown
            else:
                picture = Image.open(shown) if shown else None
        except ValueError:  # reported when it is sent
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

    def _answer(
        self, chat: Chat, growing: Generator[list[dict], None, None], message: dict | None = None
    ) -> Iterator[Updates]:
        """Show an answer as it grows; at its end, or after an error, the textbox is ready again."""
        conversation = chat.conversation
        turns, forgotten = conversation.turns, conversation.forgotten
        emptied: dict[str, Any] = {} if message is None else {"value": None}
        note = ""
        try:
            for number, messages in enumerate(growing):
                if chat.ended:
                    growing.close()  # it may have begun after `Chat.end` stopped it
                    break
                if number == 0:
                    yield chat, messages, gr.MultimodalTextbox(submit_btn=False, stop_btn=True, **emptied), _notice()
                else:
                    yield chat, messages, gr.skip(), gr.skip()
        except (ValueError, OSError) as error:
            note = str(error)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            note = f"Something went wrong ({type(error).__name__}); see the terminal for details."
        if chat.ended:  # what was shown last may have come after the page was cleared
            yield _cleared()
            return
        said = not note and (len(conversation.turns) > len(turns) if message else conversation.turns is not turns)
        if said and not conversation.turns[-1].answer.finished:
            note = "The answer was cut off: it was stopped, or reached the maximum length in the settings."
        elif said and chat.problems:
            note = f"Not all boxes were right: {'; '.join(chat.problems[:3])}."
        if conversation.forgotten > forgotten:
            left_out = f"its oldest turns are left out, {conversation.forgotten} so far; pictures stay."
            note = f"{note} The conversation outgrew the model: {left_out}"
        back = {} if message is None or said else {"value": message}
        yield chat, chat.messages(), _idle(**back), _notice(note)


def _idle(**changes: Any) -> Any:
    return gr.MultimodalTextbox(submit_btn=True, stop_btn=False, **changes)


def _cleared() -> Updates:
    return None, [], _idle(), _notice()


def _notice(message: object = "") -> Any:
    """A line above the textbox, read out by screen readers; empty, it goes away."""
    line = html.escape(" ".join(str(message).split()))
    return gr.HTML(f'<p role="alert">{line}</p>' if line else "", visible=bool(line))


def _checked_box(box: Any) -> str:
    if not (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(value, int | float) and math.isfinite(value) for value in box)
    ):
        raise ValueError("Draw a box on the picture first.")
    return format_box(box, (100, 100))
