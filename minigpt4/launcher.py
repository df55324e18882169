"""Workers of torchrun, which is also what `accelerate launch` starts several processes by."""

import os
import sys
import time
from threading import Thread


LOOKS = 1.0  # seconds from one look at the launcher to the next


def begin_worker() -> None:
    """
    Let this process end when its launcher is gone, and cleanly when it is done, if it is a worker. To be called before it joins others.

    A launcher that is killed (by a scheduler, or where memory ran out) cannot end its workers, which would go on alone, or wait
    for each other forever. Whatever they have written is whole, as after any kill.
    """
    # What `torch.distributed.is_torchelastic_launched` looks at; importing torch would take seconds.
    if "TORCHELASTIC_RUN_ID" in os.environ:
        Thread(target=_end_after, args=(os.getppid(),), daemon=True).start()
        # Imported later, its functions keep the process group, as a default value, and so the threads of gloo for good.
        import torch.distributed.nn.functional  # noqa: F401


def _end_after(launcher: int) -> None:
    while os.getppid() == launcher:
        time.sleep(LOOKS)
    os._exit(1)  # neither an exception nor a signal reaches Python while it waits for another process


def end_worker() -> None:
    """
    Let go of the other workers, if there are any. Not after an error: they may wait for this one, and must be ended.

    The threads of gloo would otherwise abort a worker that was all but done, now and then, and its launcher would report a failure.
    """
    distributed = sys.modules.get("torch.distributed")  # not imported: there are no others
    if distributed and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
