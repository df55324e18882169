"""The model that a recipe trains."""

import torch
from peft import PeftModel, get_peft_model
from transformers import AutoModelForImageTextToText, AutoProcessor, PreTrainedModel, ProcessorMixin
from transformers.image_utils import SizeDict
from trl import get_quantization_config

from minigpt4.checkpoints.fit import refuse_misfit
from minigpt4.checkpoints.identity import Checkpoint, identify
from minigpt4.checkpoints.overrides import override_config
from minigpt4.checkpoints.positions import resize_images
from minigpt4.checkpoints.remote_code import naming_refused_code
from minigpt4.hub_cards.embedded import embedded
from minigpt4.modeling_minigpt4 import MiniGPT4Config

from .arguments import ModelArguments
from .lora import continue_lora, lora_config


# What another configuration may leave out of a checkpoint, and what may then start anew.
DROPPED = ("model.qformer.", "model.query_tokens", "model.multi_modal_projector.")
NEW = ("model.multi_modal_projector.",)


def load_processor(arguments: ModelArguments) -> ProcessorMixin:
    """The processor beside the model, with the size of images and the tokens per image of the recipe's configuration."""
    checkpoint, own, config = _configurations(arguments)
    name = checkpoint.name
    with naming_refused_code(name, revision=arguments.model_revision):
        processor = AutoProcessor.from_pretrained(
            name, revision=arguments.model_revision, trust_remote_code=arguments.trust_remote_code
        )
    processor.num_image_tokens = config.num_image_tokens
    if (size := config.image_size) != own.image_size:
        processor.image_processor.size = SizeDict(height=size, width=size)
    return processor


def load_model(arguments: ModelArguments, bf16: bool = False) -> PreTrainedModel | PeftModel:
    """
    Load the model of a recipe.

    Args:
        arguments (`ModelArguments`): which one; with LoRA if they set `use_peft`.
        bf16 (`bool`, *optional*, defaults to `False`): load in bfloat16 unless `arguments.dtype` is set.

    Raises:
        ValueError: there is no model, it is not a MiniGPT-4, its weights do not fit the configuration, or a run without LoRA
            would lose the one beside them.
    """
    checkpoint, own, config = _configurations(arguments)
    name = checkpoint.name
    vision, own_vision = config.vision_config, own.vision_config
    image_size = vision.image_size  # type: ignore[union-attr]
    vision.image_size = own_vision.image_size  # type: ignore[union-attr]  # of the weights; resized below
    if checkpoint.adapter and not arguments.use_peft:
        raise ValueError(
            f"{name} holds a LoRA beside its weights, which this recipe would lose: train it further with --set "
            "use_peft=true --set mask=projector+lora, or convert without --keep-lora."
        )
    dtype = arguments.dtype or ("bfloat16" if bf16 else "float32")
    arguments.dtype = dtype
    with naming_refused_code(name, revision=arguments.model_revision):
        model, report = AutoModelForImageTextToText.from_pretrained(
            name,
            config=config,
            revision=arguments.model_revision,
            dtype=dtype if dtype == "auto" else getattr(torch, dtype),
            attn_implementation=arguments.attn_implementation,
            quantization_config=get_quantization_config(arguments),
            adapter_kwargs={"subfolder": "none"},  # without the LoRA beside it
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            trust_remote_code=arguments.trust_remote_code,
        )
    allowed, dropped = (NEW, DROPPED) if arguments.model_config else ((), ())
    refuse_misfit(name, report, new=allowed, dropped=dropped, advice="nothing but the projection may start anew")
    resize_images(model, image_size)
    if checkpoint.adapter:
        return continue_lora(model, name, arguments)
    return get_peft_model(model, lora_config(arguments)) if arguments.use_peft else model


def checkpoint_name(arguments: ModelArguments) -> tuple[str, str]:
    """Folder or Hub id of the model, and its revision."""
    if not arguments.model_name_or_path:
        raise ValueError("The recipe has no model: use --set model_name_or_path=FOLDER, or nano.")
    return embedded(arguments.model_name_or_path), arguments.model_revision


def load_config(arguments: ModelArguments) -> MiniGPT4Config:
    """The configuration of a recipe's model: the checkpoint's, with what the recipe replaces."""
    return _configurations(arguments)[2]


def _configurations(arguments: ModelArguments) -> tuple[Checkpoint, MiniGPT4Config, MiniGPT4Config]:
    """The checkpoint, its own configuration and that of the recipe."""
    checkpoint = identify(*checkpoint_name(arguments)).require_whole(
        "make it whole first, with --resume --save full in the run that wrote it"
    )
    config = checkpoint.read_config()
    if not arguments.model_config:
        return checkpoint, config, config
    changed = override_config(
        config.to_dict(),
        arguments.model_config,
        name="model_config",
        text_config_class=type(config.text_config),
    )
    return checkpoint, config, changed
