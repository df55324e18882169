"""Which vision towers can stand inside MiniGPT-4, and what is read of them."""

import copy
import inspect

import torch
from torch import nn
from transformers import Blip2VisionConfig, Blip2VisionModel
from transformers.configuration_utils import PreTrainedConfig
from transformers.modeling_outputs import ModelOutput
from transformers.models.auto import AutoModel
from transformers.models.auto.modeling_auto import MODEL_MAPPING


# The LayerNorm after BLIP-2's tower, `ln_vision` in the original, has PyTorch's default eps; the blocks have 1e-6.
LN_VISION_EPS = 1e-5


def make_vision_tower(vision_config: PreTrainedConfig, **kwargs) -> nn.Module:
    """
    The tower of a configuration, without the pooling layer that nothing here reads.

    Args:
        vision_config (`PreTrainedConfig`): of the tower alone.
        kwargs: `dtype` and `attn_implementation`.
    """
    if isinstance(vision_config, Blip2VisionConfig):
        tower = Blip2VisionModel._from_config(vision_config, **kwargs)
        tower.post_layernorm.eps = LN_VISION_EPS
        return tower
    if "add_pooling_layer" in inspect.signature(MODEL_MAPPING[type(vision_config)].__init__).parameters:
        kwargs["add_pooling_layer"] = False
    return AutoModel.from_config(vision_config, trust_remote_code=False, **kwargs)


def interpolates_on_demand(tower: nn.Module) -> bool:
    """Whether a tower has to be told to interpolate its position embeddings; others always do, or never."""
    return "interpolate_pos_encoding" in inspect.signature(tower.forward).parameters


def read_tokens(
    tower: nn.Module, pixel_values: torch.Tensor, config: PreTrainedConfig, on_demand: bool, **kwargs
) -> tuple[ModelOutput, torch.Tensor]:
    """
    Runs a tower.

    Args:
        tower (`nn.Module`): from [`make_vision_tower`].
        pixel_values (`torch.Tensor` of shape `(num_images, 3, height, width)`): the images.
        config (`MiniGPT4Config`): says which layer is read.
        on_demand (`bool`): from [`interpolates_on_demand`], which `torch.compile` could not look up by itself.
        kwargs: further arguments of the tower.

    Returns:
        Its outputs, and the tokens of the layer that is read, of shape `(num_images, prefix tokens + patches, width)`.
    """
    size, layer = config.vision_config.image_size, config.vision_feature_layer
    if on_demand:
        kwargs["interpolate_pos_encoding"] = tuple(pixel_values.shape[-2:]) != (size, size)
    if layer != -1:
        kwargs["output_hidden_states"] = True
    outputs = tower(pixel_values, return_dict=True, **kwargs)
    return outputs, outputs.last_hidden_state if layer == -1 else outputs.hidden_states[layer]


def check_vision_tower(config: PreTrainedConfig) -> None:
    """
    Refuses a tower that would load, and then run wrongly, and notes how many tokens stand in front of its patches.

    Nothing here goes by the names of models: a copy without weights is shown a picture.

    Args:
        config (`MiniGPT4Config`): of the whole model; its `vision_prefix_tokens` is set where it is `None`.

    Raises:
        ValueError: if the tower is none of transformers, does not give a token for each patch, has no such layer, or another
            number of tokens in front of its patches.
    """
    vision = config.vision_config
    name = f"The vision tower {vision.model_type!r}"
    layers = getattr(vision, "num_hidden_layers", None)
    if layers is not None and not -layers - 1 <= config.vision_feature_layer <= layers:
        raise ValueError(
            f"{name} has {layers} layers: vision_feature_layer {config.vision_feature_layer} is none of them."
        )
    if isinstance(vision, Blip2VisionConfig):
        found = 1
    elif type(vision) not in MODEL_MAPPING:
        raise ValueError(
            f"{name} is not one that AutoModel makes: MiniGPT-4 needs one like CLIP's, SigLIP's or DINOv2's."
        )
    else:
        tokens = _tokens_of_a_picture(config, name)
        found = tokens - config.num_patches
        if found < 0:
            raise ValueError(
                f"{name} gives {tokens} tokens for a picture of {config.image_size} pixels, which has {config.num_patches} "
                f"patches of {vision.patch_size}: MiniGPT-4 needs one that gives a token for each patch."
            )
    if config.vision_prefix_tokens is None:
        config.vision_prefix_tokens = found
    elif config.vision_prefix_tokens != found:
        raise ValueError(
            f"vision_prefix_tokens is {config.vision_prefix_tokens}, but {name[0].lower()}{name[1:]} has {found} tokens in "
            "front of its patches: leave it out."
        )


@torch.no_grad()
def _tokens_of_a_picture(config: PreTrainedConfig, name: str) -> int:
    shallow = copy.deepcopy(config)
    vision = shallow.vision_config
    if getattr(vision, "num_hidden_layers", None) is not None:
        vision.num_hidden_layers = 1
    if config.vision_feature_layer != -1:
        shallow.vision_feature_layer = 0
    try:
        with torch.device("meta"):
            tower = make_vision_tower(vision, dtype=torch.float32, attn_implementation="eager").eval()
            pixels = torch.zeros(1, 3, config.image_size, config.image_size, dtype=torch.float32)
            _, hidden_states = read_tokens(tower, pixels, shallow, interpolates_on_demand(tower))
        shape = tuple(hidden_states.shape)
    except Exception as error:  # any error of a model that does not read a picture alone
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{name} does not read a picture of {config.image_size} pixels ({reason}).") from error
    if len(shape) != 3 or shape[0] != 1 or shape[2] != vision.hidden_size:
        raise ValueError(
            f"{name} gives features of shape {shape} for a picture: MiniGPT-4 needs a token of width {vision.hidden_size} for "
            "each patch."
        )
    return shape[1]
