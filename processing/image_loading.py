"""Pictures from wherever users have them, upright and in RGB, for both image processors."""

import base64
import binascii
import os
from io import BytesIO

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps
from transformers.image_processing_utils import BaseImageProcessor
from transformers.image_utils import (
    OPENAI_CLIP_MEAN,
    OPENAI_CLIP_STD,
    ChannelDimension,
    ImageInput,
    PILImageResampling,
    infer_channel_dimension_format,
    is_valid_image,
)

from .fetching import fetch_now
from .image_formats import FORMATS


URL_TIMEOUT_SECONDS = 60
URL_MAX_BYTES = 100_000_000

# Where the image processor is in a saved folder, for those who load it with `trust_remote_code=True`. Of two, transformers
# would take the one with torchvision wherever that works, and its pixels are not the published ones.
AUTO_MAP = "image_processing_pil_minigpt4.MiniGPT4ImageProcessorPil"


class AsStored(str):
    """
    The path of a picture that is read as it is stored: [`load_image`] does not turn it upright, and clips 16 bits.

    The published training read its pictures so, and the boxes in its annotations are those of the unturned picture.
    """

    __slots__ = ()


class AsStoredBytes(bytes):
    """The bytes of a picture that is read as it is stored. See [`AsStored`]."""

    __slots__ = ()


def load_image(
    source: str | os.PathLike | bytes | PIL.Image.Image,
    timeout: float = URL_TIMEOUT_SECONDS,
    max_bytes: int = URL_MAX_BYTES,
    max_pixels: int | None = None,
) -> PIL.Image.Image:
    """
    Read a picture, turn it upright (EXIF; not if it is [`AsStored`]) and convert it to RGB.

    Args:
        source (`str`, `os.PathLike`, `bytes` or `PIL.Image.Image`):
            A path, an `http(s)://` address, a `data:image/…;base64,` address or bare base64, the bytes of an image
            file, or a PIL image.
        timeout (`float`, defaults to 60):
            Seconds for an address, until its last byte.
        max_bytes (`int`, defaults to 100,000,000):
            The largest file that is read from an address.
        max_pixels (`int`, *optional*):
            The largest picture that is decoded. Default: Pillow's limit against decompression bombs, twice
            `PIL.Image.MAX_IMAGE_PIXELS`, which applies in any case.

    Returns:
        `PIL.Image.Image`: in mode RGB.

    Raises:
        FileNotFoundError: no such file.
        IsADirectoryError: a folder.
        ValueError: not an image in one of the `FORMATS`, cut short, or more pixels or bytes than the limits.
    """
    if isinstance(source, PIL.Image.Image):
        return _decode(source, getattr(source, "filename", "") or "the image", max_pixels)
    if isinstance(source, bytes):
        as_stored = isinstance(source, AsStoredBytes)
        return _decode(BytesIO(source), f"the image of {len(source)} bytes", max_pixels, as_stored)
    source = os.fspath(source)
    name = source if len(source) <= 200 else f"{source[:100]}…"
    if source.startswith(("http://", "https://")):
        return _decode(BytesIO(fetch_now(source, timeout, max_bytes)), name, max_pixels)
    if source.startswith("data:image/"):
        return _decode(BytesIO(_base64(source.partition(",")[2]) or b""), "the data: image", max_pixels)
    # os.path, as Path.is_file raises on base64 that is too long for a file name.
    if os.path.isdir(source):  # noqa: PTH112
        raise IsADirectoryError(f"{source} is a folder: pass the path of an image file.")
    if os.path.isfile(source):  # noqa: PTH113
        return _decode(source, source, max_pixels, isinstance(source, AsStored))
    if (content := _base64(source)) is not None and _is_image(content):
        return _decode(BytesIO(content), "the base64 image", max_pixels)
    raise FileNotFoundError(f"No image file at {name!r}, which is not an http(s) address or a base64 image either.")


def shrunk(image: PIL.Image.Image, image_processor: BaseImageProcessor) -> PIL.Image.Image:
    """
    A picture as the model reads it, to keep in the place of a large one: the image processor makes the same of both.

    Args:
        image (`PIL.Image.Image`): a picture.
        image_processor (`BaseImageProcessor`): the model's. With one that is not MiniGPT-4's the picture stays as it is.
    """
    shrink = getattr(image_processor, "shrink", None)
    return image if shrink is None else shrink(image)


class ImageInputMixin(BaseImageProcessor):
    """
    What the two image processors share: the published defaults, and inputs of every kind made into upright RGB.

    Transparency is dropped, not laid over white as transformers' processors do: the published models were trained on
    PIL's `convert("RGB")`. 16-bit greyscale is scaled to 8 bits, where PIL would clip it to white.
    """

    _auto_class = "AutoImageProcessor"  # so that the code is saved too
    do_resize = True
    size = {"height": 224, "width": 224}
    resample = PILImageResampling.BICUBIC
    do_convert_rgb = True
    do_rescale = True
    do_normalize = True
    image_mean = OPENAI_CLIP_MEAN
    image_std = OPENAI_CLIP_STD

    def to_dict(self) -> dict:
        """What is saved. It names the image processor with Pillow, whichever this one is."""
        output = super().to_dict()
        if "auto_map" in output:
            output["auto_map"][self._auto_class] = AUTO_MAP
        return output

    def fetch_images(self, image_url_or_urls):
        """Read what is given as path, address, base64 or bytes; single, in a list or nested. Errors as `load_image`."""
        if isinstance(image_url_or_urls, list | tuple):
            return [self.fetch_images(image) for image in image_url_or_urls]
        if isinstance(image_url_or_urls, str | os.PathLike | bytes):
            return load_image(image_url_or_urls)
        if not is_valid_image(image_url_or_urls):
            raise TypeError(
                f"Cannot read an image from a {type(image_url_or_urls).__name__}: pass a PIL image, a numpy or torch "
                "array, a path, an address, base64 or bytes, or lists of them."
            )
        if getattr(image_url_or_urls, "ndim", None) == 2:  # a greyscale array
            return image_url_or_urls[None]
        return image_url_or_urls

    def shrink(self, image: PIL.Image.Image) -> PIL.Image.Image:
        """The picture in the 8-bit pixels that the model reads: small, and its `pixel_values` are those of `image`."""
        pixels = self.preprocess(image, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"]
        return PIL.Image.fromarray(np.moveaxis(pixels[0], 0, -1).astype(np.uint8))

    def process_image(
        self,
        image: ImageInput,
        do_convert_rgb: bool | None = None,
        input_data_format: str | ChannelDimension | None = None,
        **kwargs,
    ):
        """Make one image an array with the channels first, in the working format of the backend."""
        if isinstance(image, PIL.Image.Image):
            # Nothing is left to convert, and transformers would lay what was transparent over white.
            image = load_image(image) if do_convert_rgb else _upright(_opened(image))
            do_convert_rgb = False
        elif do_convert_rgb:
            if input_data_format is None:
                input_data_format = infer_channel_dimension_format(image, num_channels=(1, 3, 4))
            if input_data_format == ChannelDimension.FIRST and image.shape[0] == 4:
                image = image[:3]
            elif input_data_format == ChannelDimension.LAST and image.shape[-1] == 4:
                image = image[..., :3]
        return super().process_image(
            image, do_convert_rgb=do_convert_rgb, input_data_format=input_data_format, **kwargs
        )


def _decode(source, name: str, max_pixels: int | None, as_stored: bool = False) -> PIL.Image.Image:
    """Open, turn and convert; every error of Pillow becomes one line that names the picture."""
    try:
        image = _opened(source)
        if max_pixels is not None and image.width * image.height > max_pixels:  # known before anything is decoded
            raise PIL.Image.DecompressionBombError(
                f"{image.width} x {image.height} is more than {max_pixels / 1e6:g} million pixels"
            )
        if as_stored:
            return _as_stored(image)
        image = _upright(image)
        return image if image.mode == "RGB" else _to_rgb(image)
    except PIL.Image.DecompressionBombError as error:
        raise ValueError(f"{name} is too large to open safely: {error}") from error
    except PIL.UnidentifiedImageError as error:
        raise ValueError(f"{name} is not an image in a supported format: {', '.join(FORMATS)}.") from error
    except (PermissionError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, EOFError, RuntimeError and more
        raise ValueError(f"{name} is damaged or cut short: {error}") from error


def _opened(source) -> PIL.Image.Image:
    """A file or bytes as an image, not decoded yet; what was opened elsewhere must be of the same formats."""
    if not isinstance(source, PIL.Image.Image):
        PIL.Image.init()
        return PIL.Image.open(source, formats=[kind for kind in FORMATS if kind in PIL.Image.OPEN])
    if source.format not in (None, *FORMATS, "MPO"):  # of no file; MPO: a JPEG with further pictures behind it
        raise PIL.UnidentifiedImageError(
            f"The image is {source.format}, which is not a supported format: {', '.join(FORMATS)}."
        )
    return source


def _upright(image: PIL.Image.Image) -> PIL.Image.Image:
    image.load()
    # Of a picture that stands upright, exif_transpose would make a copy.
    turned = image.getexif().get(PIL.ExifTags.Base.Orientation, 1) != 1
    return PIL.ImageOps.exif_transpose(image) if turned else image


def _as_stored(image: PIL.Image.Image) -> PIL.Image.Image:
    image = image.convert("RGB")
    image.info.clear()  # or the image processor would find the EXIF, and turn it
    return image


def _to_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and np.max(image.getextrema()) > 255):
        # A table takes a fifth of numpy's memory; values outside of it are clipped.
        image = image.convert("I").point([round(value / 257) for value in range(65536)], "L")
    return image.convert("RGB")


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_image(content: bytes) -> bool:
    try:
        _opened(BytesIO(content)).close()
    except PIL.UnidentifiedImageError:
        return False
    except PIL.Image.DecompressionBombError:  # an image, to be refused by name
        return True
    return True
