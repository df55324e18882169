"""Makes transformers' Auto classes and pipelines know MiniGPT-4, without making `import minigpt4` slow."""

import sys
from functools import cache
from types import ModuleType


TYPE_CHECKING = False  # as type checkers know it, without importing typing
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


@cache
def register() -> None:
    """Registers MiniGPT-4 with the Auto classes of transformers, once."""
    from transformers.models.auto import (
        AutoConfig,
        AutoImageProcessor,
        AutoModel,
        AutoModelForCausalLM,
        AutoModelForImageTextToText,
        AutoModelForMultimodalLM,
        AutoModelForPreTraining,
        AutoProcessor,
    )
    from transformers.models.auto.image_processing_auto import DEFAULT_TO_PIL_BACKEND_IMAGE_PROCESSORS
    from transformers.utils import is_torchvision_available

    from .modeling_minigpt4.configuration_minigpt4 import MiniGPT4Config
    from .modeling_minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Model
    from .processing.image_processing_pil_minigpt4 import MiniGPT4ImageProcessorPil
    from .processing.processing_minigpt4 import MiniGPT4Processor

    AutoConfig.register("minigpt4", MiniGPT4Config, exist_ok=True)
    AutoModel.register(MiniGPT4Config, MiniGPT4Model, exist_ok=True)
    for auto_class in (
        AutoModelForCausalLM,  # for `pipeline("text-generation")`
        AutoModelForImageTextToText,
        AutoModelForMultimodalLM,
        AutoModelForPreTraining,
    ):
        auto_class.register(MiniGPT4Config, MiniGPT4ForConditionalGeneration, exist_ok=True)
    AutoProcessor.register(MiniGPT4Config, MiniGPT4Processor, exist_ok=True)
    image_processors = {"pil": MiniGPT4ImageProcessorPil}
    if is_torchvision_available():
        from .processing.image_processing_minigpt4 import MiniGPT4ImageProcessor

        image_processors["torchvision"] = MiniGPT4ImageProcessor
    AutoImageProcessor.register(MiniGPT4Config, image_processor_classes=image_processors, exist_ok=True)
    # Saved under this name by both. The published pixels are Pillow's: torchvision is for those who ask for it.
    DEFAULT_TO_PIL_BACKEND_IMAGE_PROCESSORS.append("MiniGPT4ImageProcessor")


def register_when_needed() -> None:
    """
    Registers at once where the Auto classes are loaded already, else when somebody takes one of them, or `pipeline`,
    from `transformers`, or a class of ours from `minigpt4`.

    Importing our own classes costs seconds, since they import torch; `transformers` itself is lazy for the same reason.
    Our modules take the Auto classes from `transformers.models.auto`, which is not watched: nothing runs in circles.
    """
    if "transformers.models.auto.configuration_auto" in sys.modules:
        register()
    else:
        sys.meta_path.insert(0, _UntilTransformers())


class _UntilTransformers:
    """An import hook that waits for `transformers`, and only then imports `wrapt`, which costs more than an empty Python."""

    # Not the module `transformers` itself, which transformers replaces in `sys.modules` while it loads.
    awaited = "transformers.utils.import_utils"

    def find_spec(self, name: str, path=None, target=None) -> "ModuleSpec | None":
        if name != self.awaited:
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec

        import wrapt

        wrapt.when_imported(name)(_watch_lazy_modules)
        return find_spec(name)


def _watch_lazy_modules(import_utils: ModuleType) -> None:
    """
    Registers before anybody gets an Auto class from `transformers`.

    A patch, since there is no public way: transformers looks for no entry points of models outside of it, and
    `register` of its Auto classes needs the classes themselves, which import torch.
    """

    import wrapt

    def take_attribute(take, lazy_module, names, _):
        value = take(*names)
        is_auto = names[0].startswith("Auto") or names[0] == "pipeline"
        if is_auto and lazy_module.__name__ == "transformers":
            register()
        return value

    wrapt.wrap_function_wrapper(import_utils, "_LazyModule.__getattr__", take_attribute)
