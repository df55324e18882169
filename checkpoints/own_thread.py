"""Work that leaves no threads behind."""

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import get_ident
from typing import Any, TypeVar


_Made = TypeVar("_Made")


def in_own_thread(work: Callable[..., _Made], *args: Any) -> _Made:
    """
    What `work(*args)` returns or raises, called in a thread that ends with it. Ctrl-C interrupts it as it would in this thread.

    For loading a model whose answers other threads may make. PyTorch's OpenMP threads belong to the thread that first
    needed them, as long as it lives; and where there are more of them than cores, those of every other thread go to sleep
    after each operation. On two cores a token of a small model took 30 ms in place of 17.
    """
    with ThreadPoolExecutor(1) as thread:
        identifier = thread.submit(get_ident).result()
        making = thread.submit(work, *args)
        try:
            return making.result()
        except KeyboardInterrupt:  # of the main thread, which alone gets it; else it would wait until all is loaded
            if not making.done():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(identifier), ctypes.py_object(KeyboardInterrupt)
                )
            raise
