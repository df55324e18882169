"""Images and chats in, token ids out; text, boxes and drawings back."""

from minigpt4.lazy import lazy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .boxes import Box as Box
    from .boxes import GroundedPhrase as GroundedPhrase
    from .boxes import Grounding as Grounding
    from .boxes import crop_box as crop_box
    from .boxes import format_box as format_box
    from .boxes import format_boxes as format_boxes
    from .boxes import format_phrase as format_phrase
    from .boxes import parse_grounding as parse_grounding
    from .boxes import resize_box as resize_box
    from .drawing import coloured_text as coloured_text
    from .drawing import draw_boxes as draw_boxes
    from .drawing import ink_on as ink_on
    from .drawing import phrase_colours as phrase_colours
    from .image_loading import AsStored as AsStored
    from .image_loading import AsStoredBytes as AsStoredBytes
    from .image_loading import load_image as load_image
    from .image_processing import MiniGPT4ImageProcessor as MiniGPT4ImageProcessor
    from .image_processing_pil_minigpt4 import MiniGPT4ImageProcessorPil as MiniGPT4ImageProcessorPil
    from .processing_minigpt4 import MiniGPT4Processor as MiniGPT4Processor
    from .templates import chat_template as chat_template
    from .tokenization import IMAGE_TOKEN as IMAGE_TOKEN
    from .tokenization import exact_tokenizer as exact_tokenizer
    from .tokenization import load_llama_tokenizer as load_llama_tokenizer
else:
    __all__ = lazy(__name__)
