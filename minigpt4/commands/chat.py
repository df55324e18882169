"""`minigpt4 chat`: a conversation in the terminal."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from minigpt4.commands.console import note, print_pairs, working
from minigpt4.commands.keyboard import keys_wait, reader
from minigpt4.commands.options import Dtype, MaxNewTokens, Model, Precision, TrustRemoteCode, model_name
from minigpt4.commands.pictures import check_exists, read_picture
from minigpt4.commands.thumbnails import protocol, show_thumbnail
from minigpt4.commands.wrapping import WordWrap
from minigpt4.hub_cards.embedded import EMBEDDED


if TYPE_CHECKING:
    from PIL.Image import Image

    from minigpt4.inference.conversation import Conversation


HELP = {
    "/image PATH": "show a picture with your next message",
    "/retry [TEXT]": "answer your last message again, or TEXT in its place",
    "/undo": "take back your last message and its answer",
    "/reset": "forget the conversation and its pictures",
    "/help": "this list",
    "/quit": "end (also Ctrl-D); Ctrl-C stops an answer",
}


def chat(
    image: Annotated[str | None, typer.Argument(metavar="IMAGE", help="Picture to start with.")] = None,
    model: Model = None,
    max_new_tokens: MaxNewTokens = None,
    dtype: Dtype = Precision.AUTO,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Chat with the model about pictures; add one in any turn with /image PATH."""
    if image:
        check_exists(image)
    protocol()
    with keys_wait(), working(f"Loading {model_name(model)}"):
        from minigpt4.inference.conversation import Conversation
        from minigpt4.loading import load

        picture = read_picture(image) if image else None
        conversation = Conversation(*load(model, trust_remote_code, dtype), max_new_tokens=max_new_tokens)
    note(f"{model_name(model)}, {_in_words(conversation.model.num_parameters())} parameters")
    if model_name(model) in EMBEDDED:
        note("It is tiny and only knows drawn scenes of simple shapes, not photographs.")
    if image and picture is not None:
        _show(image, picture, conversation)
    note("/help lists the commands: /image shows a picture, /quit ends.")
    try:
        _talk(conversation, reader([usage.split()[0] for usage in HELP]))
    finally:
        conversation.stop()


def _in_words(count: int) -> str:
    for unit, name in ((1e9, "billion"), (1e6, "million")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count:,}"


def _talk(conversation: "Conversation", read: Callable[[], str]) -> None:
    """Act on messages until `/quit` or their end."""
    while True:
        try:
            message = read().strip()
            if message == "/quit":
                return
            if message:
                with keys_wait():
                    _take(message, conversation)
        except KeyboardInterrupt:  # also while a picture is downloaded
            continue
        except EOFError:
            print()
            return


def _take(line: str, conversation: "Conversation") -> None:
    """Act on one message: a command that starts with `/`, or what to answer."""
    command, _, argument = line.partition(" ")
    if command == "/image":
        _open(argument.strip(), conversation)
    elif command == "/retry":
        _retry(argument.strip(), conversation)
    elif command == "/undo":
        _undo(conversation)
    elif command == "/reset":
        conversation.reset()
        note("The conversation starts over.")
    elif command == "/help":
        print_pairs(HELP)
    elif _is_dropped(line):
        _open(line, conversation)
    elif command.startswith("/"):
        note(f"Unknown command {command}; /help lists all commands.")
    else:
        _show_answer(conversation, conversation.stream(line))


def _path(text: str) -> Path:
    """The path in what is typed, or pasted by a terminal on which a file is dropped: quoted, or with escaped spaces."""
    path = Path(text.strip("'\"")).expanduser()
    return path if path.exists() else Path(text.replace("\\ ", " ")).expanduser()


def _is_dropped(line: str) -> bool:
    """Whether a message is nothing but the whole path of a file."""
    try:
        return _path(line).is_absolute() and _path(line).is_file()
    except OSError:  # too long for a path
        return False


def _open(path: str, conversation: "Conversation") -> None:
    if not path:
        note("Give a picture: /image PATH")
        return
    if "://" not in path:
        path = str(_path(path))
    try:
        picture = read_picture(path)
    except (OSError, ValueError) as error:
        note(str(error))
    else:
        _show(path, picture, conversation)


def _show(path: str, picture: "Image", conversation: "Conversation") -> None:
    conversation.show(picture)
    show_thumbnail(picture)
    note(f"{path}, {picture.width} x {picture.height}, goes with your next message.")


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
        print_pieces(pieces, WordWrap().write)
    except ValueError as error:
        note(f"{error}; /reset starts over")
        return
    if conversation.turns is turns or not conversation.turns[-1].answer.finished:
        note("(not finished)")
    if conversation.forgotten > forgotten:
        left_out = conversation.forgotten
        note(f"(the conversation outgrew the model: its oldest turns are left out, {left_out} so far; pictures stay)")
