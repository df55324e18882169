"""Pictures as `data:` addresses, which hold what they name."""

import base64
from io import BytesIO

import PIL.Image


def image_address(image: PIL.Image.Image | bytes, kind: str, **options) -> str:
    """
    A picture as an address that `load_image` reads.

    Args:
        image (`PIL.Image.Image` or `bytes`): a picture, or the content of its file.
        kind (`str`): format of the file, such as `"png"`.
        options: of Pillow's `save`.
    """
    if isinstance(image, PIL.Image.Image):
        image.save(buffer := BytesIO(), kind, **options)
        image = buffer.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
