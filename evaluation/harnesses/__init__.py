"""These models in other people's harnesses: lmms-eval and VLMEvalKit, which bring POPE, MME, MMBench and many others."""


def lmms_eval_models():
    """What lmms-eval's entry point `lmms_eval.models` asks for: the models of this package."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(model_id="minigpt4", simple_class_path=f"{__name__}.lmms_eval.MiniGPT4")


__all__ = ["lmms_eval_models"]
