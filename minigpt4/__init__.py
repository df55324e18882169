"""MiniGPT-4 and MiniGPT-v2 as a Hugging Face-native package. Importing it makes the Auto classes know `minigpt4`."""

import sys

from .lazy import LazyPackage, lazy
from .registration import register, register_when_needed


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .hub_cards import nano_path as nano_path
    from .modeling_minigpt4 import MiniGPT4Config as MiniGPT4Config
    from .modeling_minigpt4 import MiniGPT4ForConditionalGeneration as MiniGPT4ForConditionalGeneration
    from .modeling_minigpt4 import MiniGPT4Model as MiniGPT4Model
    from .modeling_minigpt4 import MiniGPT4PreTrainedModel as MiniGPT4PreTrainedModel
    from .processing import MiniGPT4ImageProcessor as MiniGPT4ImageProcessor
    from .processing import MiniGPT4ImageProcessorPil as MiniGPT4ImageProcessorPil
    from .processing import MiniGPT4Processor as MiniGPT4Processor
    from .version import __version__ as __version__
else:
    __all__ = lazy(__name__)

    def __getattr__(name):
        if name.startswith("MiniGPT4"):
            register()  # `MiniGPT4Processor.from_pretrained` finds its parts through the Auto classes
        return LazyPackage.__getattr__(sys.modules[__name__], name)


register_when_needed()
