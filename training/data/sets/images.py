"""Image files that annotations name: all must be inside their folder, and missing ones are found without opening any."""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath

from minigpt4.checkpoints.strangers import OutsideError, inside


def last_part(path: str) -> str:
    """The file name of a path in an annotation, where the published folder has no subfolders."""
    return PurePosixPath(inside(path)).name


def named(row: Mapping, pattern: str) -> list[str]:
    """The image whose path is made of fields of the row, as `"{image_id}.jpg"`."""
    return [pattern.format_map(row)]


def without_folders(row: Mapping) -> list[str]:
    """The image that the row names by its path; the published folder has no subfolders."""
    return [last_part(row["image"])]


class ImageFolder:
    """
    The folder that a set has its images in.

    Args:
        folder (`Path`): it may be a link itself.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.root = os.path.realpath(folder)

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def has(self, name: str) -> bool:
        """
        Whether there is such an image.

        Raises:
            OutsideError: it is a link that leaves the folder, or the path does.
        """
        path = PurePosixPath(inside(name))
        folder = self.folder / path.parent
        try:
            is_link = _entries(str(folder), folder.stat().st_mtime_ns).get(path.name)
        except OSError:  # no such folder
            return False
        if is_link is None:
            return False
        if is_link or path.parent != PurePosixPath():
            target = os.path.realpath(folder / path.name) if is_link else os.path.realpath(folder)
            if os.path.commonpath([target, self.root]) != self.root:
                raise OutsideError(f"names the image {name!r}, a link that leaves {self.folder}: put the file there.")
            return Path(target).exists()
        return True


@lru_cache(maxsize=64)
def _entries(folder: str, changed: int) -> dict[str, bool]:
    """The names in a folder, and which are links: one listing is faster than asking for 100,000 files, above all over a network."""
    with os.scandir(folder) as entries:
        return {entry.name: entry.is_symlink() for entry in entries}
