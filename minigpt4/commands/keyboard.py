"""What is typed into a conversation: with an editor on a terminal, else the lines of stdin."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


PROMPT = "you> "
PASTE_MARKED, PASTE_UNMARKED = "\x1b[?2004h", "\x1b[?2004l"  # the terminal says where a pasted block begins and ends


def on_terminal() -> bool:
    """Whether a person types and reads."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def reader(commands: Sequence[str]) -> Callable[[], str]:
    """
    A function that reads one message at a time.

    On a terminal, arrow keys edit and recall, Tab completes, Alt-Enter adds a line, and a pasted block is one message.

    Args:
        commands (`Sequence[str]`): what Tab completes at the beginning; after `/image`, names of files.
    """
    return _editor(commands) if on_terminal() else lambda: input(f"\n{PROMPT}")


def _editor(commands: Sequence[str]) -> Callable[[], str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import NestedCompleter, PathCompleter, WordCompleter, merge_completers
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()
    keys.add("enter")(lambda event: event.current_buffer.validate_and_handle())
    keys.add("escape", "enter")(lambda event: event.current_buffer.insert_text("\n"))
    paths = NestedCompleter({"/image": PathCompleter(expanduser=True)})
    session: PromptSession[str] = PromptSession(
        PROMPT,
        multiline=True,  # for what is pasted; Enter ends the message all the same
        prompt_continuation=" " * len(PROMPT),
        key_bindings=keys,
        completer=merge_completers([WordCompleter([*commands], sentence=True), paths]),
        complete_while_typing=False,
    )

    def read() -> str:
        print()
        return session.prompt()

    return read


@contextmanager
def keys_wait() -> Iterator[None]:
    """What is typed meanwhile is not shown, and waits for the next message. Ctrl-C still interrupts."""
    try:
        import termios
        import tty
    except ImportError:  # Windows shows keys only when they are read
        yield
        return
    if not on_terminal():
        yield
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal, termios.TCSADRAIN)
    print(PASTE_MARKED, end="", flush=True)
    try:
        yield
    finally:
        print(PASTE_UNMARKED, end="", flush=True)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
