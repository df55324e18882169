"""Time and memory of two ways to do the same work, measured so that other load affects both alike."""

import gc
import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median


REPETITIONS = 3


def interleave(
    ours: Callable[[], object], peer: Callable[[], object], repetitions: int = REPETITIONS
) -> tuple[float, float]:
    """
    Call both alternately, once to warm up and then `repetitions` times.

    Returns:
        `tuple`: the median seconds of one call of ours and of one call of the peer's.
    """
    seconds: tuple[list[float], list[float]] = ([], [])
    for work in (ours, peer):
        work()
    for repetition in range(repetitions):
        order = (0, 1) if repetition % 2 else (1, 0)  # the second one finds warmer caches
        for which in order:
            gc.collect()
            start = time.perf_counter()
            (ours, peer)[which]()
            seconds[which].append(time.perf_counter() - start)
    return median(seconds[0]), median(seconds[1])


def peak_memory(prepare: Callable[[], Callable[[], object]]) -> int:
    """
    Peak bytes of work in a separate process, minus what Python and its libraries take before it.

    Args:
        prepare: a module-level function that imports what is needed and returns the work. Models and data are part of
            the work: they count.
    """
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_report_peak, args=(prepare, queue))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{prepare} ended with exit code {process.exitcode}.")
    return queue.get()


def _report_peak(prepare, queue) -> None:
    work = prepare()
    before = peak()
    work()
    queue.put(peak() - before)


def peak() -> int:
    """The peak resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # rusage would include the parent, which this process was forked from
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: in bytes
