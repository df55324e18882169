"""Makes transformers' Auto classes and pipelines know MiniGPT-4, without making `import minigpt4` slow."""

import sys

import wrapt


def register() -> None:
    """Registers MiniGPT-4 with the Auto classes of transformers; a second call changes nothing."""
    from transformers.models.auto import (
        AutoConfig,
        AutoImageProcessor,
        AutoModel,
        AutoModelForImageTextToText,
        AutoProcessor,
    )
    from transformers.utils import is_torchvision_available

    from .modeling_minigpt4.configuration_minigpt4 import MiniGPT4Config
    from .modeling_minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Model
    from .processing.image_processing_pil_minigpt4 import MiniGPT4ImageProcessorPil
    from .processing.processing_minigpt4 import MiniGPT4Processor

    AutoConfig.register("minigpt4", MiniGPT4Config, exist_ok=True)
    AutoModel.register(MiniGPT4Config, MiniGPT4Model, exist_ok=True)
    AutoModelForImageTextToText.register(MiniGPT4Config, MiniGPT4ForConditionalGeneration, exist_ok=True)
    AutoProcessor.register(MiniGPT4Config, MiniGPT4Processor, exist_ok=True)
    image_processors = {"pil": MiniGPT4ImageProcessorPil}
    if is_torchvision_available():
        from .processing.image_processing_minigpt4 import MiniGPT4ImageProcessor

        image_processors["torchvision"] = MiniGPT4ImageProcessor
    AutoImageProcessor.register(MiniGPT4Config, image_processor_classes=image_processors, exist_ok=True)


def _needs_registration(name: str) -> bool:
    return name.startswith("Auto") or name == "pipeline"


def register_when_needed() -> None:
    """
    Registers at the first use of an Auto class or a pipeline: at once if there was one, else when somebody takes one
    from `transformers`.

    Importing our own classes costs seconds, since they import torch; `transformers` itself loads them lazily as well.
    Our modules take the Auto classes from `transformers.models.auto`, which is not watched, so nothing runs in circles.
    """

    @wrapt.when_imported("transformers")
    def watch(_) -> None:
        transformers = sys.modules["transformers"]  # the lazy module, which has replaced the one that was executed
        if any(_needs_registration(name) for name in vars(transformers)):
            register()
            return
        lazy_module = type(transformers)

        class WatchedModule(lazy_module):
            def __getattr__(self, name):
                value = super().__getattr__(name)
                if _needs_registration(name) and type(self) is WatchedModule:
                    self.__class__ = lazy_module
                    register()
                return value

        transformers.__class__ = WatchedModule
