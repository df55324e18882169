"""What a server has freed goes back to the system. Nothing heavy is imported here, as it comes first."""

import contextlib
import ctypes
import threading
import time
from collections.abc import Callable
from typing import NoReturn


# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
LARGE = 2**20  # bytes


def give_back_memory(every: float = 60.0) -> None:
    """Let the C library return large blocks to the system as soon as they are freed, and all other free pages from time to time.

    glibc raises its limits to 64 MB once a large block was freed, has a heap for each of many threads, and gives back the
    end of a heap only: pictures, long requests and caches would leave gaps, and memory would grow for hours without
    anything being kept. To be called before threads are started. Other C libraries are left as they are.

    Args:
        every (`float`, *optional*, defaults to 60.0): seconds after which gaps are given back, again and again.
    """
    with contextlib.suppress(OSError, AttributeError):  # there is none of this name, or not these functions in it
        library = ctypes.CDLL("libc.so.6")
        mallopt, trim = library.mallopt, library.malloc_trim
        mallopt(_MMAP_THRESHOLD, LARGE)
        mallopt(_TRIM_THRESHOLD, LARGE)
        mallopt(_ARENA_MAX, 2)
        threading.Thread(target=_trim, args=(trim, every), daemon=True, name="memory").start()


def _trim(trim: Callable[[int], int], every: float) -> NoReturn:
    while True:
        time.sleep(every)
        trim(0)
