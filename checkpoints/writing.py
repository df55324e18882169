"""Atomic writing: under a temporary name, renamed on success."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from huggingface_hub.utils import WeakFileLock


UNFINISHED = ".unfinished"  # suffix of a file or folder that is being written
STAGING = ".saving"  # subfolder of a training run, into which several processes write


@contextmanager
def unfinished_file(file: str | Path) -> Iterator[Path]:
    """A temporary file to write, which replaces `file` on success and is removed otherwise."""
    file = Path(file)
    part = file.with_name(file.name + UNFINISHED)
    try:
        yield part
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def new_folder(output: str | Path) -> Path:
    """
    The resolved path of a folder to write.

    Raises:
        FileExistsError: `output` exists and is not empty.
        ValueError: `output` has no name, or is a mount point, which cannot be replaced.
    """
    if Path(output).name in ("", ".."):
        raise ValueError(f"--output is {output}, which cannot be a new folder: give it a name.")
    output = Path(output).resolve()  # the target of a link, since a link cannot be replaced by a folder
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise FileExistsError(f"{output} exists already: remove it, or give another --output.")
    if output.is_mount():
        raise ValueError(f"--output is {output}, where a disk is mounted: name a new folder in it.")
    return output


@contextmanager
def unfinished_folder(output: str | Path) -> Iterator[Path]:
    """
    A temporary folder to write into, which is renamed to `output` on success and removed otherwise.

    What a killed run leaves is called `OUTPUT.unfinished`; the next run removes it.

    Raises:
        FileExistsError: `output` exists and is not empty, or another run is writing there.
        ValueError: `output` has no name, or is a mount point, which cannot be replaced.
    """
    output = new_folder(output)
    folder = output.with_name(output.name + UNFINISHED)
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / ".lock"
    with ExitStack() as stack:
        try:
            stack.enter_context(WeakFileLock(lock, timeout=0.1))
        except TimeoutError as error:
            raise FileExistsError(
                f"Another run is writing {output}: wait for it, or give another --output."
            ) from error
        try:
            for left in folder.iterdir():
                if left.is_dir() and not left.is_symlink():
                    shutil.rmtree(left)
                elif left != lock:
                    left.unlink()
            yield folder
            lock.unlink()
            folder.replace(output)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
