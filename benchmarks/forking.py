"""Processes forked from one that has imported PyTorch: one import serves many programs, and several that work together."""

import os
import traceback
from collections.abc import Callable

import torch
from accelerate.utils.other import get_free_port


def fork() -> int:
    """`os.fork`, after which threads of the new process may use PyTorch at once: it replaces its pool of threads when it is
    first used after a fork, which fails if two do so at the same time, as those that load weights might."""
    pid = os.fork()
    if pid == 0:
        torch.set_num_threads(torch.get_num_threads())
    return pid


def run_ranks(work: Callable[[], object], processes: int) -> list[int]:
    """Call `work` in so many processes, which find each other as those of `accelerate launch` do; how they ended."""
    port = get_free_port()
    pids = [_start(work, rank, processes, port) for rank in range(processes)]
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def _start(work: Callable[[], object], rank: int, processes: int, port: int) -> int:
    if pid := os.fork():
        return pid
    status = 1
    try:
        torch.set_num_threads(1)
        if processes > 1:
            places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
            os.environ.update({name: str(value) for name, value in places.items()})
            os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
