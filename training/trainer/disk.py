"""A full disk as a one-line error, whichever library was writing."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


PROBE_BYTES = 2**20
NO_ROOM = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the quota of the disk is used up"}


@contextmanager
def full_disk_in_one_line(folder: Path, what: str, advice: str) -> Iterator[None]:
    """
    Raise an `OSError` in one line if writing `what` fails because the disk is full.

    PyTorch, safetensors and tokenizers raise errors of their own then, most of which do not name the cause.

    Args:
        folder (`Path`): where it is written to.
        what (`str`): what was being written.
        advice (`str`): what to do.
    """
    try:
        yield
    except Exception as error:
        if why := _why_there_is_no_room(error, folder):
            raise OSError(f"{what} could not be written to {folder}, as {why}: {advice}") from error
        raise


def _why_there_is_no_room(error: Exception, folder: Path) -> str | None:
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return NO_ROOM[error.errno]
    probe = folder / ".probe"
    try:
        with probe.open("wb") as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as full:
        return NO_ROOM.get(full.errno or 0)
    finally:
        probe.unlink(missing_ok=True)
    return None
