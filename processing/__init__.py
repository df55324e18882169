"""Images and chats in, token ids out; text back."""

import sys
from typing import TYPE_CHECKING

from transformers.utils import _LazyModule
from transformers.utils.import_utils import define_import_structure


if TYPE_CHECKING:
    from .image_loading import load_image as load_image
    from .image_processing_minigpt4 import MiniGPT4ImageProcessor as MiniGPT4ImageProcessor
    from .image_processing_pil_minigpt4 import MiniGPT4ImageProcessorPil as MiniGPT4ImageProcessorPil
    from .processing_minigpt4 import MiniGPT4Processor as MiniGPT4Processor
    from .templates import chat_template as chat_template
    from .tokenization import IMAGE_TOKEN as IMAGE_TOKEN
    from .tokenization import exact_tokenizer as exact_tokenizer
    from .tokenization import load_llama_tokenizer as load_llama_tokenizer
else:
    # As in transformers: nothing is imported before it is asked for, and without torchvision
    # `MiniGPT4ImageProcessor` is the Pillow one.
    sys.modules[__name__] = _LazyModule(__name__, __file__, define_import_structure(__file__), module_spec=__spec__)
