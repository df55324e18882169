"""Tests press Ctrl-C, in this process and in those that they start."""

import signal


def hear_ctrl_c() -> None:
    """Undo that a shell's background jobs ignore Ctrl-C: processes that tests start would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
