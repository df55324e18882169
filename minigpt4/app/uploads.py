"""What a user may send along: pictures, not too many, not too large."""

from pathlib import Path
from typing import TYPE_CHECKING

from minigpt4.processing.image_loading import load_image


if TYPE_CHECKING:
    from PIL.Image import Image


MAX_PICTURES = 8  # in one message
MAX_FILE_MEGABYTES = 20


def read_uploads(files: "list[str]") -> "list[Image]":
    """Open uploaded files.

    Raises:
        ValueError: Too many, or one that is no picture; the message names it as the user does, not as the server.
    """
    if len(files) > MAX_PICTURES:
        raise ValueError(f"{len(files)} pictures are too many: a message takes at most {MAX_PICTURES}.")
    pictures = []
    for file in files:
        try:
            pictures.append(load_image(file))
        except (OSError, ValueError) as error:
            raise ValueError(str(error).replace(file, Path(file).name)) from error
    return pictures
