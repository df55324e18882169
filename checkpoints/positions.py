"""Position embeddings of the vision tower for images of another size."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import Blip2VisionConfig


def resize_positions(positions: torch.Tensor, side: int) -> torch.Tensor:
    """
    Position embeddings of shape `(1, 1 + old**2, width)` for a grid of `side` by `side` patches, in float32.

    The class token keeps its own; the grid is resized by bicubic interpolation, `align_corners=False`.
    """
    class_position, grid = positions.float().split([1, positions.shape[1] - 1], dim=1)
    old = int(grid.shape[1] ** 0.5)
    grid = grid.unflatten(1, (old, old)).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, size=(side, side), mode="bicubic", align_corners=False)
    return torch.cat((class_position, grid.permute(0, 2, 3, 1).flatten(1, 2)), dim=1)


def resize_images(model: Any, image_size: int) -> None:
    """
    Make a loaded model read images of another size, in place.

    Args:
        model (`MiniGPT4ForConditionalGeneration`): its configuration follows.
        image_size (`int`): pixels of a side.

    Raises:
        ValueError: the vision tower is not BLIP-2's.
    """
    tower, config = model.model.vision_tower, model.config.vision_config
    if config.image_size == image_size:
        return
    if not isinstance(config, Blip2VisionConfig):
        raise ValueError(
            f"The position embeddings of {config.model_type!r} are not resized: set picture_size, not vision_config.image_size."
        )
    config.image_size = image_size
    embeddings = tower.embeddings
    old = embeddings.position_embedding
    new = resize_positions(old.data, image_size // config.patch_size)
    embeddings.position_embedding = nn.Parameter(new.to(old.dtype), requires_grad=old.requires_grad)
    embeddings.image_size, embeddings.num_positions = image_size, new.shape[1]
    embeddings.num_patches = new.shape[1] - 1
