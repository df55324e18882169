"""`minigpt4 chat`: a conversation in the terminal."""

from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from minigpt4.commands.console import note, working
from minigpt4.commands.options import MaxNewTokens, Model
from minigpt4.commands.pictures import read_picture


HELP = """\
/image PATH  show a picture with your next message
/reset       forget the conversation and its pictures
/help        this list
/quit        end (also Ctrl-D); Ctrl-C stops an answer"""


def chat(
    image: Annotated[str | None, typer.Argument(metavar="IMAGE", help="Picture to begin with.")] = None,
    model: Model = None,
    max_new_tokens: MaxNewTokens = None,
) -> None:
    """Talk with the model about pictures; add one in any turn with /image PATH."""
    from minigpt4.loading import load

    pictures = [read_picture(image)] if image else []
    with working("Loading the model"):
        loaded = load(model)
    conversation = Conversation(*loaded, max_new_tokens=max_new_tokens, pictures=pictures)
    print(HELP)
    _enable_line_editing()
    while True:
        try:
            line = input("\nyou> ").strip()
        except KeyboardInterrupt:
            print()
            continue
        except EOFError:
            print()
            return
        if line == "/quit":
            return
        if line:
            conversation.take(line)


@dataclass
class Conversation:
    """What has been said, and what a line typed by the user does to it."""

    model: Any
    processor: Any
    max_new_tokens: int | None = None
    pictures: list[Any] = field(default_factory=list)
    """Shown with the next message."""
    messages: list[dict] = field(default_factory=list)

    def take(self, line: str) -> None:
        """Act on one line: a command that starts with `/`, or a message to answer."""
        command, _, argument = line.partition(" ")
        if command == "/image":
            self._add_picture(argument.strip())
        elif command == "/reset":
            self.messages.clear()
            self.pictures.clear()
            note("The conversation starts anew.")
        elif command == "/help":
            print(HELP)
        elif command.startswith("/"):
            note(f"There is no {command}; /help lists what there is.")
        else:
            self._answer(line)

    def _add_picture(self, path: str) -> None:
        if not path:
            note("Say which picture: /image PATH")
            return
        try:
            self.pictures.append(read_picture(path))
        except (OSError, ValueError) as error:
            note(str(error))
        else:
            note("The picture goes with your next message.")

    def _answer(self, text: str) -> None:
        from minigpt4.answering import AnswerStreamer, answer, user_turn

        asked = [*self.messages, user_turn(text, *self.pictures)]
        streamer = AnswerStreamer(self.processor.tokenizer, self.model.generation_config.stop_strings)
        try:
            finished = answer(
                self.model, self.processor, [asked], max_new_tokens=self.max_new_tokens, streamer=streamer
            )[0].finished
        except KeyboardInterrupt:
            finished = False
        except ValueError as error:
            note(f"{error}; /reset starts anew")
            return
        print()
        if not finished:
            note("(not finished)")
        self.messages = [*asked, {"role": "assistant", "content": [{"type": "text", "text": streamer.text}]}]
        self.pictures = []


def _enable_line_editing() -> None:
    """Arrow keys and history for `input`, where Python has them."""
    try:
        import readline  # noqa: F401
    except ImportError:
        return
