"""MiniGPT-4 and MiniGPT-v2 as a Hugging Face-native package. Importing it makes the Auto classes know `minigpt4`."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from .registration import register, register_when_needed


__version__ = version("minigpt4")

# Public names and where they live: each is imported when it is first used, so that `import minigpt4` stays quick.
_HOMES = {
    "MiniGPT4Config": "minigpt4.modeling_minigpt4.configuration_minigpt4",
    "MiniGPT4PreTrainedModel": "minigpt4.modeling_minigpt4.modeling_minigpt4",
    "MiniGPT4Model": "minigpt4.modeling_minigpt4.modeling_minigpt4",
    "MiniGPT4ForConditionalGeneration": "minigpt4.modeling_minigpt4.modeling_minigpt4",
    "MiniGPT4Processor": "minigpt4.processing.processing_minigpt4",
    "MiniGPT4ImageProcessor": "minigpt4.processing",  # the Pillow one where there is no torchvision
    "MiniGPT4ImageProcessorPil": "minigpt4.processing.image_processing_pil_minigpt4",
    "nano_path": "minigpt4.hub_cards",
}

__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from .hub_cards import nano_path as nano_path
    from .modeling_minigpt4 import MiniGPT4Config as MiniGPT4Config
    from .modeling_minigpt4 import MiniGPT4ForConditionalGeneration as MiniGPT4ForConditionalGeneration
    from .modeling_minigpt4 import MiniGPT4Model as MiniGPT4Model
    from .modeling_minigpt4 import MiniGPT4PreTrainedModel as MiniGPT4PreTrainedModel
    from .processing import MiniGPT4ImageProcessor as MiniGPT4ImageProcessor
    from .processing import MiniGPT4ImageProcessorPil as MiniGPT4ImageProcessorPil
    from .processing import MiniGPT4Processor as MiniGPT4Processor


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name.startswith("MiniGPT4"):
        register()  # `MiniGPT4Processor.from_pretrained` finds its parts through the Auto classes
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


register_when_needed()
