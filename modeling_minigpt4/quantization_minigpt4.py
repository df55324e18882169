"""What quantization leaves alone."""

import copy

from transformers.quantizers import AutoQuantizationConfig


# Unless the configuration names modules itself.
UNQUANTIZED_MODULES = ["model.vision_tower", "model.qformer", "model.multi_modal_projector", "lm_head"]


def quantize_language_model_only(quantization_config):
    """A copy of the configuration, with the towers, the projection and the head left alone where it names no modules."""
    if isinstance(quantization_config, dict):
        quantization_config = AutoQuantizationConfig.from_dict(quantization_config)
    quantization_config = copy.deepcopy(quantization_config)
    for name in ("llm_int8_skip_modules", "modules_to_not_convert"):  # bitsandbytes' name, and that of the others
        if getattr(quantization_config, name, UNQUANTIZED_MODULES) is None:
            setattr(quantization_config, name, list(UNQUANTIZED_MODULES))
    return quantization_config
