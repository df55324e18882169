"""Work in a thread of its own leaves no threads behind, what it makes or raises arrives, and Ctrl-C ends it."""

from pathlib import Path

import pytest

from minigpt4.checkpoints.own_thread import in_own_thread


COUNTING = """
import os, time, torch
from minigpt4.checkpoints.own_thread import in_own_thread

def threads(goal=None):
    until = time.monotonic() + 30  # a thread is still listed for a moment when it has ended
    while True:
        count = len(os.listdir("/proc/self/task"))
        if goal in (None, count) or time.monotonic() > until:
            return count

def work():
    return torch.ones(10**6).exp().sum()

torch.set_num_threads(2)
before = threads()
in_own_thread(work)
print(threads(before) - before)
work()
print(threads() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts the threads of a process on Linux")
def test_no_threads_are_left(fresh):
    assert fresh(COUNTING).stdout.split() == ["0", "1"]


def test_what_is_made_or_raised_arrives():
    assert in_own_thread(divmod, 7, 3) == (2, 1)
    with pytest.raises(ZeroDivisionError):
        in_own_thread(divmod, 7, 0)


INTERRUPTED = """
import os, signal, time
from minigpt4.checkpoints.own_thread import in_own_thread

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started this may ignore it

def work():
    os.kill(os.getpid(), signal.SIGINT)
    until = time.monotonic() + 60
    try:
        while time.monotonic() < until:
            time.sleep(0.01)
        print("not interrupted")
    finally:
        print("ended")

try:
    in_own_thread(work)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_ends_the_work(fresh):
    assert fresh(INTERRUPTED).stdout.split("\n")[:2] == ["ended", "interrupted"]
