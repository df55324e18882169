"""`minigpt4 chat`: a conversation in the terminal."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated

import typer

from minigpt4.commands.console import note, working
from minigpt4.commands.options import MaxNewTokens, Model, TrustRemoteCode
from minigpt4.commands.pictures import check_exists, read_picture


if TYPE_CHECKING:
    from minigpt4.inference.conversation import Conversation


HELP = """\
/image PATH    show a picture with your next message
/retry [TEXT]  answer your last message again, or TEXT in its place
/undo          take back your last message and its answer
/reset         forget the conversation and its pictures
/help          this list
/quit          end (also Ctrl-D); Ctrl-C stops an answer"""


def chat(
    image: Annotated[str | None, typer.Argument(metavar="IMAGE", help="Picture to start with.")] = None,
    model: Model = None,
    max_new_tokens: MaxNewTokens = None,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Chat with the model about pictures; add one in any turn with /image PATH."""
    if image:
        check_exists(image)
    with working("Loading the model"):
        from minigpt4.inference.conversation import Conversation
        from minigpt4.loading import load

        picture = read_picture(image) if image else None
        conversation = Conversation(*load(model, trust_remote_code), max_new_tokens=max_new_tokens)
    if picture is not None:
        conversation.show(picture)
    print(HELP)
    _enable_line_editing()
    try:
        _talk(conversation)
    finally:
        conversation.stop()


def _talk(conversation: "Conversation") -> None:
    """Act on lines until `/quit` or their end."""
    while True:
        try:
            line = input("\nyou> ").strip()
            if line == "/quit":
                return
            if line:
                _take(line, conversation)
        except KeyboardInterrupt:  # also while a picture is downloaded
            print()
        except EOFError:
            print()
            return


def _take(line: str, conversation: "Conversation") -> None:
    """Act on one line: a command that starts with `/`, or a message to answer."""
    command, _, argument = line.partition(" ")
    if command == "/image":
        _show(argument.strip().strip("'\""), conversation)  # quotes: as terminals paste dropped files
    elif command == "/retry":
        _retry(argument.strip(), conversation)
    elif command == "/undo":
        _undo(conversation)
    elif command == "/reset":
        conversation.reset()
        note("The conversation starts over.")
    elif command == "/help":
        print(HELP)
    elif command.startswith("/"):
        note(f"Unknown command {command}; /help lists all commands.")
    else:
        _show_answer(conversation, conversation.stream(line))


def _show(path: str, conversation: "Conversation") -> None:
    if not path:
        note("Give a picture: /image PATH")
        return
    try:
        conversation.show(read_picture(path))
    except (OSError, ValueError) as error:
        note(str(error))
    else:
        note("The picture goes with your next message.")


def _retry(text: str, conversation: "Conversation") -> None:
    if conversation.turns:
        _show_answer(conversation, conversation.retry(text or None))
    else:
        note("There is nothing to answer again.")


def _undo(conversation: "Conversation") -> None:
    if not conversation.turns:
        note("There is nothing to undo.")
        return
    conversation.cut(len(conversation.turns) - 1)
    note("Your last message was removed, with its pictures.")


def _show_answer(conversation: "Conversation", pieces: Generator[str, None, None]) -> None:
    from minigpt4.inference.streaming import print_pieces

    forgotten, turns = conversation.forgotten, conversation.turns
    try:
        print_pieces(pieces)
    except ValueError as error:
        note(f"{error}; /reset starts over")
        return
    if conversation.turns is turns or not conversation.turns[-1].answer.finished:
        note("(not finished)")
    if conversation.forgotten > forgotten:
        left_out = conversation.forgotten
        note(f"(the conversation outgrew the model: its oldest turns are left out, {left_out} so far; pictures stay)")


def _enable_line_editing() -> None:
    """Arrow keys and history for `input`, where Python has them."""
    try:
        import readline  # noqa: F401
    except ImportError:
        return
