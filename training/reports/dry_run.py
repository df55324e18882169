"""What a recipe is going to do, without loading weights: what learns, and what it takes in memory, operations and hours."""

import re
from dataclasses import dataclass
from itertools import islice

import torch
from peft import get_peft_model
from rich.console import Console
from transformers import PreTrainedModel

from minigpt4.modeling_minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration
from minigpt4.training.arguments import ModelArguments
from minigpt4.training.data.sources import load_train_rows
from minigpt4.training.lora import lora_config
from minigpt4.training.masks import apply_mask, learning_table
from minigpt4.training.model import load_config, load_processor
from minigpt4.training.recipe import Recipe
from minigpt4.training.sequences.collation import IGNORED, SequenceCollator

from .preview import print_memory


# Rows that the means are of.
ROWS = 64
# The Q-Former's weights that read what the vision tower gives; all others read the queries.
READ_PATCHES = r"crossattention\.attention\.(key|value)\."


@dataclass(frozen=True)
class Operations:
    """
    Floating-point operations for one sample: two for each weight and token that it reads, forwards; as many again for
    the gradient of what it read, and again for that of each weight that learns (https://huggingface.co/papers/2001.08361,
    section 2.1). Attention's own products come on top, and a forward pass of the layers with gradient checkpointing.

    Args:
        towers (`float`): of the vision tower and the Q-Former, which only run forwards while they are frozen.
        language_model (`float`): forwards and backwards, since the projection learns through it.
    """

    towers: float
    language_model: float

    @property
    def total(self) -> float:
        return self.towers + self.language_model


def model_without_weights(
    config: MiniGPT4Config, arguments: ModelArguments, mask, dtype: torch.dtype
) -> PreTrainedModel:
    """The model that a recipe trains, on the meta device, with its `requires_grad` flags set."""
    with torch.device("meta"):
        model = MiniGPT4ForConditionalGeneration(config).to(dtype)
        if arguments.use_peft:
            model = get_peft_model(model, lora_config(arguments))
    apply_mask(model, mask)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()  # as the trainer holds it
    return model


def count_operations(
    model: PreTrainedModel,
    tokens: float,
    learned: float,
    images: float = 1,
    checkpointing: bool = False,
    cached: bool = False,
) -> Operations:
    """
    Count the operations for one sample.

    Args:
        model (`MiniGPT4ForConditionalGeneration`): from [`model_without_weights`], of which shapes are enough.
        tokens (`float`): of the sequence, those of images included.
        learned (`float`): tokens that carry loss: the head computes no others.
        images (`float`, defaults to 1): in the sequence.
        checkpointing (`bool`, defaults to `False`): gradient checkpointing.
        cached (`bool`, defaults to `False`): features of the towers are read from a cache.
    """
    model = getattr(model, "get_base_model", lambda: model)()
    network, config = model.model, model.config
    text, vision = config.text_config, config.vision_config
    patches = config.num_patches + config.vision_prefix_tokens
    towers = _pass(network.vision_tower, patches)
    seeing = _attention(vision, patches)
    if network.qformer is not None:
        towers += _pass(network.qformer, config.num_query_tokens, without=READ_PATCHES)
        towers += _pass(network.qformer, patches, only=READ_PATCHES)
    learns = any(
        parameter.requires_grad
        for part in (network.vision_tower, network.qformer)
        if part
        for parameter in part.parameters()
    )
    active = _active_share(text)
    forward, reading = _pass(network.language_model, tokens, active), _attention(text, tokens)
    weights = _pass(network.language_model, tokens, active, learning=True)
    head = 2.0 * model.lm_head.weight.numel() * learned * (3 if model.lm_head.weight.requires_grad else 2)
    projection = _pass(network.multi_modal_projector, config.num_image_tokens) * images * (3 if learns else 2)
    return Operations(
        towers=0.0 if cached else (towers + seeing) * images * (3 if learns else 1),
        # The gradients of both factors of attention's products are needed, whatever learns.
        language_model=forward * (2 + checkpointing) + reading * (3 + checkpointing) + weights + head + projection,
    )


def print_plan(recipe: Recipe, speed: float | None = None) -> None:
    """
    Print what a recipe trains, tokens per sample, memory, operations and, at a given speed, hours; for one device.

    Args:
        recipe (`Recipe`): from [`~minigpt4.training.read_recipe`].
        speed (`float`, *optional*): of the device, in 10¹² operations per second that it sustains.

    Raises:
        ValueError: the recipe has no model or no data, or its mask does not fit the model.
    """
    args, console = recipe.args, Console()
    dtype = getattr(torch, recipe.model.dtype or ("bfloat16" if args.bf16 else "float32"))
    model = model_without_weights(load_config(recipe.model), recipe.model, args.mask, dtype)
    rows = load_train_rows(recipe.data)
    collator = SequenceCollator(load_processor(recipe.model), recipe.sequence, seed=args.seed)
    shown = list(islice(rows.preview(args.seed), max(ROWS, args.per_device_train_batch_size)))
    batches = [collator([row]) for row in shown[:ROWS]]
    count = len(batches)
    tokens = sum(batch["input_ids"].numel() for batch in batches) / count
    learned = sum(int((batch["labels"] != IGNORED).sum()) for batch in batches) / count
    images = sum(len(batch.get("pixel_values", ())) for batch in batches) / count
    console.print(learning_table(model))
    console.print(
        f"Sample: {tokens:.0f} tokens on average of {count} rows, {learned:.0f} of them with loss, {images:.1f} images"
    )
    operations = count_operations(
        model, tokens, learned, images, bool(args.gradient_checkpointing), bool(args.features)
    )
    console.print(
        f"Operations: {operations.total / 1e12:.3g} TFLOP per sample ({operations.towers / 1e12:.3g} of them in the towers)"
    )
    if recipe.model.load_in_4bit or recipe.model.load_in_8bit:
        _quantize(model, 4 if recipe.model.load_in_4bit else 8)
    print_memory(
        model, collator(shown[: args.per_device_train_batch_size]), bool(args.gradient_checkpointing), console
    )
    batch_size = args.per_device_train_batch_size * args.gradient_accumulation_steps
    samples = args.max_steps * batch_size if args.max_steps > 0 else None
    if samples is None and (length := rows.length) is not None:
        samples = round(length * args.num_train_epochs)
    if samples is None:
        raise ValueError("The data is a stream and max_steps is not set: use --set max_steps=N.")
    total = samples * operations.total
    hours = f": {total / speed / 1e12 / 3600:.2g} hours at {speed:g} TFLOP/s" if speed else ""
    console.print(
        f"Run: {samples:,} samples, {samples // batch_size:,} steps of {batch_size}, {total / 1e15:.3g} PFLOP{hours}"
    )


def _pass(
    module, tokens: float, active: float = 1.0, learning: bool = False, only: str = "", without: str | None = None
) -> float:
    """
    Operations of a forward pass, or of the gradients of the weights that learn, over parameters whose names match.

    Embeddings are looked up, but those of patches are a product.
    """
    total = 0.0
    for name, parameter in module.named_parameters():
        looked_up = parameter.ndim < 2 or ("embed" in name and parameter.ndim != 4) or ".original_module." in name
        other = not re.search(only, name) or (without is not None and re.search(without, name))
        if looked_up or other or (learning and not parameter.requires_grad):
            continue
        total += parameter.numel() * (active if ".experts." in name else 1.0)
    return 2.0 * total * tokens


def _attention(config, tokens: float) -> float:
    """The products of queries with keys, and of what they weigh with values: four operations for each pair and unit of width."""
    heads = getattr(config, "num_attention_heads", 1)
    width = heads * (getattr(config, "head_dim", None) or config.hidden_size // heads)
    return 4.0 * tokens * tokens * width * config.num_hidden_layers


def _active_share(text_config) -> float:
    """The share of its experts that a token goes through."""
    experts = getattr(text_config, "num_experts", None) or getattr(text_config, "num_local_experts", None)
    return text_config.num_experts_per_tok / experts if experts else 1.0


def _quantize(model: PreTrainedModel, bits: int) -> None:
    """Makes the frozen matrices of the language model as large as they are in so many bits."""
    for name, parameter in model.named_parameters():
        if "language_model." in name and parameter.ndim > 1 and "embed" not in name and not parameter.requires_grad:
            parameter.data = torch.empty(parameter.numel() * bits // 8, dtype=torch.uint8, device="meta")
