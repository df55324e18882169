"""The launcher of a worker: torchrun, which is also what `accelerate launch` starts several processes by."""

import os
import time
from threading import Thread


LOOKS = 1.0  # seconds from one look at the launcher to the next


def end_with_launcher() -> None:
    """
    Let this process end when its launcher is gone, if it is a worker of one.

    A launcher that is killed (by a scheduler, or where memory ran out) cannot end its workers, which would go on alone, or wait
    for each other forever. Whatever they have written is whole, as after any kill.
    """
    # What `torch.distributed.is_torchelastic_launched` looks at; importing torch would take seconds.
    if "TORCHELASTIC_RUN_ID" in os.environ:
        Thread(target=_end_after, args=(os.getppid(),), daemon=True).start()


def _end_after(launcher: int) -> None:
    while os.getppid() == launcher:
        time.sleep(LOOKS)
    os._exit(1)  # neither an exception nor a signal reaches Python while it waits for another process
