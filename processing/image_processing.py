"""The image processor for this machine: torchvision's, and Pillow's where there is no torchvision, as in transformers."""

from typing import TYPE_CHECKING

from transformers.utils import is_torchvision_available


if TYPE_CHECKING or is_torchvision_available():
    from .image_processing_minigpt4 import MiniGPT4ImageProcessor
else:
    from .image_processing_pil_minigpt4 import MiniGPT4ImageProcessorPil as MiniGPT4ImageProcessor


__all__ = ["MiniGPT4ImageProcessor"]
