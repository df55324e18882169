"""`minigpt4 chat`: a conversation in the terminal."""

from typing import TYPE_CHECKING, Annotated

import typer

from minigpt4.commands.console import note, working
from minigpt4.commands.options import MaxNewTokens, Model
from minigpt4.commands.pictures import read_picture


if TYPE_CHECKING:
    from minigpt4.conversation import Conversation


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
    from minigpt4.conversation import Conversation
    from minigpt4.loading import load

    picture = read_picture(image) if image else None
    with working("Loading the model"):
        conversation = Conversation(*load(model), max_new_tokens=max_new_tokens)
    if picture is not None:
        conversation.show(picture)
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
            _take(line, conversation)


def _take(line: str, conversation: "Conversation") -> None:
    """Act on one line: a command that starts with `/`, or a message to answer."""
    command, _, argument = line.partition(" ")
    if command == "/image":
        _show(argument.strip().strip("'\""), conversation)  # quotes: as terminals paste dropped files
    elif command == "/reset":
        conversation.reset()
        note("The conversation starts anew.")
    elif command == "/help":
        print(HELP)
    elif command.startswith("/"):
        note(f"There is no {command}; /help lists what there is.")
    else:
        _say(line, conversation)


def _show(path: str, conversation: "Conversation") -> None:
    if not path:
        note("Say which picture: /image PATH")
        return
    try:
        conversation.show(read_picture(path))
    except (OSError, ValueError) as error:
        note(str(error))
    else:
        note("The picture goes with your next message.")


def _say(text: str, conversation: "Conversation") -> None:
    try:
        result = conversation.say(text)
    except ValueError as error:
        note(f"{error}; /reset starts anew")
    else:
        if not result.finished:
            note("(not finished)")


def _enable_line_editing() -> None:
    """Arrow keys and history for `input`, where Python has them."""
    try:
        import readline  # noqa: F401
    except ImportError:
        return
