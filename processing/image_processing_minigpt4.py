"""The image processor of MiniGPT-4 with torchvision: in batches, on a GPU too."""

from typing import TYPE_CHECKING

from transformers.image_processing_backends import TorchvisionBackend
from transformers.utils import is_torchvision_available

from .image_loading import ImageInputMixin


if TYPE_CHECKING:  # the two travel together: what a file names here is saved beside it
    from .image_processing_pil_minigpt4 import MiniGPT4ImageProcessorPil as MiniGPT4ImageProcessorPil


class MiniGPT4ImageProcessor(ImageInputMixin, TorchvisionBackend):
    """
    RGB, resized to a square by bicubic on the 8-bit image, scaled to [0, 1], normalised with CLIP's mean and deviation.

    The same as `MiniGPT4ImageProcessorPil`, from which torchvision's bicubic differs by at most a grey level or two:
    `AutoImageProcessor` uses it only with `backend="torchvision"`.

    Args:
        size (`dict` or `int`, defaults to `{"height": 224, "width": 224}`):
            Pixels of the result; 448 for MiniGPT-v2.
        kwargs:
            `ImagesKwargs` of transformers, here and in each call; `device` puts the work on a GPU.

    Raises:
        ImportError: where torchvision is not installed.
        FileNotFoundError, IsADirectoryError, ValueError: as `load_image`.
    """

    def __init__(self, **kwargs):
        if not is_torchvision_available():
            raise ImportError(
                "MiniGPT4ImageProcessor needs torchvision: install it, or use MiniGPT4ImageProcessorPil, which does not."
            )
        super().__init__(**kwargs)
