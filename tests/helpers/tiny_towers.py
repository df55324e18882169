"""Tiny configurations of vision towers, by what people call them."""

from transformers import CONFIG_MAPPING, PreTrainedConfig


SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 56,
    "patch_size": 14,
    "initializer_range": 0.2,
}
# Name -> type, tokens in front of the patches, and fields that are not sizes.
TOWERS = {
    "eva": ("blip_2_vision_model", 1, {}),
    "clip": ("clip_vision_model", 1, {}),
    "siglip": ("siglip_vision_model", 0, {"vision_use_head": False}),
    "dinov2": ("dinov2", 1, {}),
    "dinov2-registers": ("dinov2_with_registers", 5, {}),
    "dinov3": ("dinov3_vit", 5, {"num_register_tokens": 4}),
    "vit": ("vit", 1, {}),
}


def tiny_tower(name: str, **fields) -> PreTrainedConfig:
    """The configuration of one of `TOWERS`, which reads pictures of 56 pixels in 16 patches."""
    model_type, _, others = TOWERS[name]
    config_class = CONFIG_MAPPING[model_type]
    known = config_class.__dataclass_fields__
    sizes = {size: value for size, value in SIZES.items() if size in known}
    return config_class(**{**sizes, **others, **fields})
