"""Pictures that a user may upload: limited in number and size, and kept in the size that is needed."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from minigpt4.app.views import sized
from minigpt4.inference.serving.pictures import READER, read_picture
from minigpt4.processing.image_loading import shrunk


if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers import BaseImageProcessor


MAX_PICTURES = 8  # in one message
MAX_FILE_MEGABYTES = 20


class UploadError(ValueError):
    """What is wrong with the file at the path `file` on the server."""

    def __init__(self, message: str, file: str) -> None:
        super().__init__(message)
        self.file = file


@dataclass(frozen=True)
class Upload:
    """A picture in two sizes: `read` has the pixels that the model reads, `shown` is what people see and boxes are drawn on."""

    read: "Image"
    shown: "Image"


def read_uploads(files: "list[str]", image_processor: "BaseImageProcessor") -> list[Upload]:
    """
    Open uploaded files.

    Args:
        files (`list[str]`): their paths on the server.
        image_processor (`BaseImageProcessor`): the model's.

    Raises:
        ValueError: there are too many.
        UploadError: one is not a picture or too large; the message has the name that the user knows,
            not the path on the server.
    """
    if len(files) > MAX_PICTURES:
        raise ValueError(f"{len(files)} pictures are too many: a message takes at most {MAX_PICTURES}.")
    uploads = []
    for file in files:
        try:
            uploads.append(READER.submit(_read, file, image_processor).result())
        except (OSError, ValueError) as error:
            raise UploadError(str(error).replace(file, Path(file).name), file) from error
    return uploads


def _read(file: str, image_processor: "BaseImageProcessor") -> Upload:
    picture = read_picture(file)
    return Upload(shrunk(picture, image_processor), sized(picture))
