"""A vision tower of transformers, from a folder of its own or of a model that it is a part of, with its image processor."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedConfig, SiglipVisionConfig
from transformers.image_processing_base import ImageProcessingMixin

from minigpt4.modeling_minigpt4.vision_tower_minigpt4 import make_vision_tower

from .configuration import read_config
from .names import UNUSED_TOWER
from .plan import Plan
from .renamed import RenamedSource
from .sources import Source


TOWER = "model.vision_tower."
LAYER_NORM = "model.vision_layer_norm."
# What an image processor has to state for pictures to be what the tower was trained on.
SETTINGS = ("image_mean", "image_std", "resample")
# What MiniGPT-4's image processor does, whatever the tower.
ALWAYS = {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}


def read_vision_config(folder: Path) -> PreTrainedConfig:
    """
    The configuration of the vision tower in a folder, also where it is one part of a model.

    Raises:
        FileNotFoundError, ValueError: as [`read_config`]; also where it is not of a vision tower with pictures of one size.
    """
    config = read_config(folder, "vision tower")
    config = getattr(config, "vision_config", config)
    if getattr(config, "image_size", None) is None:
        raise ValueError(
            f"{folder} holds a {config.model_type!r}, which has no image_size: MiniGPT-4 needs a vision tower for square "
            "pictures of one size."
        )
    if isinstance(config, SiglipVisionConfig):
        config.vision_use_head = False  # it pools the patches, which nothing here reads
    return config


def read_image_settings(folder: Path) -> dict[str, Any]:
    """
    What the tower's own image processor does with a picture.

    Returns:
        `dict`: `size`, the pixels of a side of what the tower sees, `image_mean`, `image_std` and `resample`.

    Raises:
        ValueError: there is none, or it does not state one of these, or the pictures are not square, or their values are not
            scaled to [0, 1] and normalised.
    """
    try:
        found, _ = ImageProcessingMixin.get_image_processor_dict(folder, local_files_only=True)
    except Exception as error:
        raise ValueError(
            f"{folder} holds no preprocessor_config.json, which says how pictures are scaled: get the whole folder."
        ) from error
    found = found.get("image_processor", found)
    if lost := [name for name in SETTINGS if found.get(name) is None]:
        raise ValueError(
            f"The image processor in {folder} does not state {lost[0]}: set it in its preprocessor_config.json."
        )
    for name, needed in ALWAYS.items():
        if (stated := found.get(name)) is not None and not math.isclose(stated, needed):
            raise ValueError(
                f"The image processor in {folder} has {name} {stated}: MiniGPT-4 scales pixels to [0, 1] and normalises them."
            )
    size = found.get("crop_size") if found.get("do_center_crop") and found.get("crop_size") else found.get("size")
    sides = {*size.values()} if isinstance(size, dict) else {size}
    if len(sides) != 1 or not isinstance(side := sides.pop(), int):
        raise ValueError(f"The image processor in {folder} makes pictures of {size}: MiniGPT-4 needs square ones.")
    return {"size": side, **{name: found[name] for name in SETTINGS}}


def plan_tower(plan: Plan, source: Source) -> None:
    """Plans a vision tower as plain copies, with an identity for the LayerNorm after it where there is one."""
    vision_config = plan.config.vision_config
    with torch.device("meta"):
        model = make_vision_tower(vision_config)
    keys = {name.removeprefix(TOWER): name for name in plan.select(TOWER)}
    renamed = RenamedSource(source, model)
    unused = [rf"({renamed.prefix})?{pattern}" for pattern in UNUSED_TOWER]
    if renamed.prefix:
        unused.append(rf"(?!{renamed.prefix})")  # other parts of a model that is more than its tower
    plan.claim(renamed, keys, unused, f"vision tower, a {vision_config.model_type!r}")  # type: ignore[union-attr]
    plan.copy(renamed, keys)
    plan_identity(plan)


def plan_identity(plan: Plan, prefix: str = LAYER_NORM) -> None:
    """Plans the LayerNorm called `prefix`, where there is one, as one that only normalises: weight 1 and bias 0."""
    for name in plan.select(prefix):
        make = torch.ones if name.endswith("weight") else torch.zeros
        shape = plan.wanted[name]
        plan.add(name, torch.empty(shape, device="meta"), partial(make, shape), "the identity")
