"""What was freed is given back to the system."""

import subprocess
import sys

import pytest


PROGRAM = """
import sys, threading, time
import psutil
from minigpt4.inference.serving.memory import give_back_memory

how, every, number, size = sys.argv[1], float(sys.argv[2]), *map(int, sys.argv[3:])
if how == "given back":
    give_back_memory(every)
kept = []

def answer():
    bytearray(10 * size)
    large = []
    for _ in range(number):
        large.append(bytearray(size))
        kept.append(bytearray(3_000))

held = lambda: psutil.Process().memory_info().rss / 1e6
before = held()
for _ in range(3):
    threads = [threading.Thread(target=answer) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
lowest, end = held(), time.monotonic() + 2
while time.monotonic() < end:
    lowest = min(lowest, held())
print(lowest - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="settings of glibc")
@pytest.mark.parametrize(
    ("every", "number", "size"), [(60, 20, 3_000_000), (0.1, 100, 300_000)], ids=["large blocks", "gaps"]
)
def test_what_all_threads_freed_is_given_back(every, number, size):
    settings = [str(each) for each in (every, number, size)]
    kept, given_back = (
        float(subprocess.run([sys.executable, "-c", PROGRAM, how, *settings], capture_output=True, check=True).stdout)
        for how in ("as it is", "given back")
    )
    assert given_back < 20 < 60 < kept
