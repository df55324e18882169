"""Pictures as they are shown on the page."""

import base64
from io import BytesIO

from gradio.processing_utils import save_pil_to_cache
from PIL import Image

from minigpt4.processing.boxes import Grounding, parse_grounding
from minigpt4.processing.drawing import draw_boxes


# Pixels of the longer side. Large enough for labels, small enough to be sent quickly.
SMALLEST, LARGEST = 384, 1024


def sized(picture: Image.Image) -> Image.Image:
    """The picture in a size that is good to look at."""
    longer = max(picture.size)
    scale = min(max(longer, SMALLEST), LARGEST) / longer
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    return picture if size == picture.size else picture.resize(size, Image.Resampling.BICUBIC)


def save_view(picture: Image.Image, folder: str) -> str:
    """Write the picture into the page's folder, without what else its file may have told (place, camera)."""
    return save_pil_to_cache(sized(picture), folder, name="picture", format="webp")


def save_boxes(text: str, picture: Image.Image, folder: str) -> str | None:
    """Write the picture with the boxes of `text` drawn on it, or nothing where it has none."""
    view = sized(picture)
    grounding: Grounding = parse_grounding(text, view.size)
    if not grounding.boxes:
        return None
    return save_pil_to_cache(draw_boxes(view, grounding.phrases), folder, name="boxes", format="webp")


def data_url(picture: Image.Image) -> str:
    """The picture as an address that holds it."""
    buffer = BytesIO()
    sized(picture).save(buffer, format="webp")
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
