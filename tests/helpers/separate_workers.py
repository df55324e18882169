"""A worker whose launcher is killed while it waits for another. Called by a test: `python separate_workers.py`.

The first worker runs `minigpt4 describe`, as `accelerate launch` starts it; the second joins it, and then does nothing. Ends with an
error if the first does not end.
"""

import os
import select
import signal
import sys
from functools import partial

from benchmarks.forking import run_ranks
from minigpt4.__main__ import main
from minigpt4.evaluation.running.processes import processes


PATIENCE = 60  # seconds


def worker(output: int) -> None:
    os.environ.update(TORCHELASTIC_RUN_ID="none", ACCELERATE_USE_CPU="true")
    if os.environ["RANK"] == "0":
        os.write(output, f"0 {os.getpid()}\n".encode())
        sys.argv = ["minigpt4", "describe", "nowhere.png", "--json"]  # nothing to do but to wait for the other one
        main()
    else:
        processes()
        os.write(output, f"1 {os.getpid()}\n".encode())
        os.close(output)
        signal.pause()


def end_of_worker(launcher: int, output: int) -> bool:
    """Kill the launcher as soon as they have found each other. The pipe ends with the first of them."""
    workers: dict[str, int] = {}
    while ended := bool(select.select([output], [], [], PATIENCE)[0]):
        if not (chunk := os.read(output, 1024).decode()):
            break
        workers |= {rank: int(pid) for rank, pid in map(str.split, chunk.splitlines())}
        if "1" in workers:
            os.kill(launcher, signal.SIGKILL)
            os.waitpid(launcher, 0)
    for rank in workers.keys() - ({"0"} if ended else {}):
        os.kill(workers[rank], signal.SIGKILL)
    return ended


if __name__ == "__main__":
    read, write = os.pipe()
    if (launcher := os.fork()) == 0:
        run_ranks(partial(worker, write), 2)
        os._exit(1)  # not reached
    os.close(write)
    if not end_of_worker(launcher, read):
        sys.exit("The worker did not end.")
