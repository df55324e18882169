"""Tiny vision towers, by what people call them: their configurations, and folders as the Hub has them."""

import json
from pathlib import Path

import torch
from transformers import (
    CONFIG_MAPPING,
    AutoModel,
    AutoModelForImageClassification,
    CLIPConfig,
    CLIPModel,
    PreTrainedConfig,
    SiglipConfig,
    SiglipModel,
)


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


# As published: mean, deviation, resampling. Of DINOv2, pictures are smaller than the configuration says.
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 2}
CLIPS = {"image_mean": [0.481, 0.457, 0.408], "image_std": [0.268, 0.261, 0.275], "resample": 3}
SQUARE = {"size": {"height": 56, "width": 56}}
CROPPED = {"size": {"shortest_edge": 64}, "crop_size": {"height": 56, "width": 56}, "do_center_crop": True}
PREPROCESSORS = {
    "clip": CLIPS | CROPPED,
    "siglip": HALF | SQUARE,
    "dinov2-registers": IMAGENET | CROPPED,
    "dinov2": IMAGENET | CROPPED,
    "dinov3": IMAGENET | SQUARE,
    "vit": HALF | {"size": 56},
}
TEXT = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 30,
    "eos_token_id": 2,
}


def write_tower(folder: Path, name: str, **fields) -> Path:
    """Writes a tower and its image processor: CLIP and SigLIP with their text towers, ViT as a classifier, DINO alone."""
    vision = tiny_tower(name, **fields)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if name == "clip":
            model = CLIPModel(CLIPConfig(text_config=TEXT, vision_config=vision.to_dict()))
        elif name == "siglip":
            model = SiglipModel(
                SiglipConfig(text_config=TEXT, vision_config=vision.to_dict() | {"vision_use_head": True})
            )
        elif name == "vit":
            model = AutoModelForImageClassification.from_config(vision)
        else:
            model = AutoModel.from_config(vision)
        for parameter in model.parameters():
            parameter.data.normal_(std=0.2)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSORS[name]))
    return folder
