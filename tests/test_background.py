"""The tests may be started in the background of a shell, which ignores Ctrl-C there."""

import signal
import subprocess
import sys

from helpers.signals import hear_ctrl_c


def test_ctrl_c_reaches_what_tests_start():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        hear_ctrl_c()
        kill = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('went on')"
        ended = subprocess.run([sys.executable, "-c", kill], capture_output=True, text=True)
        assert ended.returncode == -signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, before)


def test_it_reaches_the_tests_themselves():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
