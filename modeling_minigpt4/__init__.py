"""Configuration and network of MiniGPT-4."""

from minigpt4.lazy import lazy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .configuration_minigpt4 import MiniGPT4Config as MiniGPT4Config
    from .modeling_minigpt4 import MiniGPT4ForConditionalGeneration as MiniGPT4ForConditionalGeneration
    from .modeling_minigpt4 import MiniGPT4Model as MiniGPT4Model
    from .modeling_minigpt4 import MiniGPT4PreTrainedModel as MiniGPT4PreTrainedModel
else:
    __all__ = lazy(__name__)
