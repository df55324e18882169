"""The image processor of MiniGPT-4 with Pillow: pixels equal to those the published models were trained on."""

from typing import TYPE_CHECKING

import PIL.Image
from transformers.image_processing_backends import PilBackend

from .image_loading import ImageInputMixin, load_image


if TYPE_CHECKING:  # the two travel together: what a file names here is saved beside it
    from .image_processing_minigpt4 import MiniGPT4ImageProcessor as MiniGPT4ImageProcessor


class MiniGPT4ImageProcessorPil(ImageInputMixin, PilBackend):
    """
    RGB, resized to a square by bicubic on the 8-bit image, scaled to [0, 1], normalised with CLIP's mean and deviation.

    Takes PIL images, numpy or torch arrays (channels first or last; greyscale without channels too), paths, addresses,
    base64 and bytes; single, in a list or nested. Returns `pixel_values` of shape (images, 3, height, width).

    Args:
        size (`dict` or `int`, defaults to `{"height": 224, "width": 224}`):
            Pixels of the result; 448 for MiniGPT-v2.
        kwargs:
            `ImagesKwargs` of transformers, here and in each call.

    Raises:
        FileNotFoundError, IsADirectoryError, ValueError: as `load_image`.
    """

    def shrink(self, image: PIL.Image.Image) -> PIL.Image.Image:
        """See `ImageInputMixin`. Without the arrays in between, which are several times the picture."""
        if not self.do_resize:
            return super().shrink(image)
        return load_image(image).resize((self.size["width"], self.size["height"]), self.resample)
