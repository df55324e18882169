"""Work that leaves no threads behind."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar


_Made = TypeVar("_Made")


def in_own_thread(work: Callable[..., _Made], *args: Any) -> _Made:
    """
    What `work(*args)` returns or raises, called in a thread that ends with it.

    For loading a model whose answers other threads may make. PyTorch's OpenMP threads belong to the thread that first
    needed them, as long as it lives; and where there are more of them than cores, those of every other thread go to sleep
    after each operation. On two cores a token of a small model took 30 ms in place of 17.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work, *args).result()
