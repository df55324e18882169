"""Pictures as they are shown on the page."""

import tempfile

from PIL import Image

from minigpt4.processing.boxes import parse_grounding
from minigpt4.processing.drawing import draw_boxes
from minigpt4.processing.image_addresses import image_address


# Limits of the longer side in pixels: large enough for labels, small enough to send quickly.
SMALLEST, LARGEST = 384, 1024


def sized(picture: Image.Image) -> Image.Image:
    """The picture in a size that is good to look at."""
    longer = max(picture.size)
    scale = min(max(longer, SMALLEST), LARGEST) / longer
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture if size == picture.size else picture.resize(size, Image.Resampling.BICUBIC)


def save_view(picture: Image.Image, folder: str) -> str:
    """Write the picture into a folder, without its metadata (place, camera), and return its path."""
    return _save(sized(picture), folder)


def save_boxes(text: str, view: str, folder: str) -> str | None:
    """Write a view with the boxes of `text` drawn on it into a folder and return its path; `None` if there are no boxes."""
    with Image.open(view) as picture:
        grounding = parse_grounding(text, picture.size)
        return _save(draw_boxes(picture, grounding.phrases), folder) if grounding.boxes else None


def data_url(picture: Image.Image) -> str:
    """The picture as a `data:` address."""
    return image_address(sized(picture), "webp")


def _save(picture: Image.Image, folder: str) -> str:
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".webp", delete=False) as file:
        picture.save(file, format="webp", quality=90)
    return file.name
