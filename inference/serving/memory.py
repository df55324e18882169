"""What a server has freed goes back to the system. Nothing heavy is imported here, as it comes first."""

import contextlib
import ctypes


# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
LARGE = 2**20  # bytes


def give_back_memory() -> None:
    """Let the C library return large blocks to the system as soon as they are freed, and the ends of its heaps, too.

    glibc raises both limits to 64 MB once a large block was freed, and has a heap for each of many threads: pictures and
    long requests would leave gaps in all of them, and memory would grow for hours without anything being kept. To be called
    before threads are started. Other C libraries are left as they are.
    """
    with contextlib.suppress(OSError, AttributeError):  # there is none of this name, or not this function in it
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(_MMAP_THRESHOLD, LARGE)
        mallopt(_TRIM_THRESHOLD, LARGE)
        mallopt(_ARENA_MAX, 2)
