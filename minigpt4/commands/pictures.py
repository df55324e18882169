"""Finding the picture files named on the command line."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from PIL.Image import Image


def find_pictures(source: str) -> tuple[list[str], int]:
    """The pictures that an argument names: a file, a URL, or every picture in a folder and the folders below it.

    In folders the extension decides; what a file really holds shows when it is read.

    Returns:
        Paths in the order of their names, and the number of other files in the folder.

    Raises:
        FileNotFoundError: There is no such file or folder.
        PermissionError: A folder cannot be read.
        ValueError: The folder contains no pictures.
    """
    check_exists(source)
    path = Path(source)
    if not path.is_dir():
        return [source], 0
    from minigpt4.processing.image_formats import extensions

    known, files = extensions(), sorted(_files(path))
    pictures = [str(file) for file in files if file.suffix.lower() in known and not file.name.startswith(".")]
    if not pictures:
        raise ValueError(f"{source}: no pictures in this folder ({len(files)} other files)")
    return pictures, len(files) - len(pictures)


def check_exists(source: str) -> None:
    """Refuse a name that does not exist, before torch is imported.

    Raises:
        FileNotFoundError: There is no such file or folder, and it is not a URL.
    """
    if not source:  # the current folder, to Path
        raise FileNotFoundError("an empty name: no such file or folder")
    if not source.startswith(("http://", "https://", "data:")) and not Path(source).exists():
        raise FileNotFoundError(f"{source}: no such file or folder")


def _files(folder: Path) -> Iterator[Path]:
    """The files in a folder and those below it, linked ones too, each folder once."""
    seen = set()
    for place, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
        if (real := Path(place).resolve()) in seen:
            folders.clear()
            continue
        seen.add(real)
        files = (Path(place, name) for name in names)
        yield from (
            file for file in files if file.is_file() or not file.exists()
        )  # a broken link fails when it is read


def _raise(error: OSError) -> None:
    raise error


def read_picture(source: str) -> "Image":
    """The picture in a file or behind a URL, upright and in RGB.

    Raises:
        OSError, ValueError: It cannot be read; the message names the file and says what is wrong with it.
    """
    from minigpt4.processing.image_loading import load_image

    return load_image(source)
