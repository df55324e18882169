"""Writing the folder that comes out: shard by shard, under a temporary name until it is whole."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from huggingface_hub import ModelCard, split_torch_state_dict_into_shards
from safetensors.torch import save_file
from tqdm import tqdm
from transformers import GenerationConfig, PreTrainedTokenizerBase
from transformers.dynamic_module_utils import custom_object_save
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME

from minigpt4.checkpoints.families import OTHER, get_family
from minigpt4.hub_cards.card import CARD, TRAINING, model_card
from minigpt4.modeling_minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration
from minigpt4.modeling_minigpt4.ends_minigpt4 import end_sequences
from minigpt4.processing import MiniGPT4ImageProcessorPil, MiniGPT4Processor, chat_template
from minigpt4.processing.own_chat import OwnChat

from .plan import DTYPES, Plan


# A shard, and what of its sources is mapped, are all that is in memory at a time.
MAX_SHARD_SIZE = "1GB"
# Of what is published beside language models.
CHECKPOINT = "checkpoint"
LICENCES = {"vision tower": "EVA-CLIP: MIT", "BLIP-2": "BSD-3-Clause", CHECKPOINT: "BSD-3-Clause"}
# Pickling and JSON files beside the weights.
ROOM_BESIDE_WEIGHTS = 50_000_000


def write_weights(
    plan: Plan, folder: Path, *, max_shard_size: str | int = MAX_SHARD_SIZE, quiet: bool = False
) -> None:
    """
    Writes all tensors of a plan as safetensors, sharded, with their index.

    Args:
        plan (`Plan`): a whole one.
        folder (`Path`): where to.
        max_shard_size (`str` or `int`, defaults to `"1GB"`): of a file, in bytes; it bounds the memory.
        quiet (`bool`, defaults to `False`): no progress bar on a terminal.

    Raises:
        OSError: where the disk has no room for them, before anything is written.
        ValueError: where one of them holds numbers that are not finite.
    """
    tensors = plan.ordered()
    split = split_torch_state_dict_into_shards(
        {name: planned.meta for name, planned in tensors.items()}, max_shard_size=max_shard_size
    )
    total = split.metadata["total_size"]
    free = shutil.disk_usage(folder).free
    if free < total + ROOM_BESIDE_WEIGHTS:
        raise OSError(f"The weights take {total / 1e9:.1f} GB, but {folder.parent} has {free / 1e9:.1f} GB left.")
    with tqdm(total=total, unit="B", unit_scale=True, desc="Weights", disable=True if quiet else None) as bar:
        for file, names in split.filename_to_tensors.items():
            shard = {}
            for name in names:
                shard[name] = _made(tensors[name].make(), tensors[name].meta)
                refuse_non_finite(shard[name], tensors[name].origin)
                bar.update(shard[name].nbytes)
            save_file(shard, folder / file, metadata={"format": "pt"})
            shard.clear()
            plan.close_sources()
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        (folder / SAFE_WEIGHTS_INDEX_NAME).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def is_finite(tensor: torch.Tensor) -> bool:
    """Whether a tensor, of any dtype, holds neither NaN nor infinity."""
    numbers = tensor if tensor.dtype in DTYPES else tensor.float()
    return not tensor.numel() or all(bound.isfinite() for bound in numbers.aminmax())  # thirty times faster than each


def refuse_non_finite(tensor: torch.Tensor, origin: str) -> None:
    """
    Raises:
        ValueError: where a tensor holds NaN or infinity, which would spread over every answer.
    """
    if not is_finite(tensor):
        raise ValueError(f"{origin} holds numbers that are not finite: the file is damaged, download it again.")


def _made(tensor: torch.Tensor, meta: torch.Tensor) -> torch.Tensor:
    assert (tensor.shape, tensor.dtype) == (meta.shape, meta.dtype)
    return tensor.clone(memory_format=torch.contiguous_format)  # off the mapped file, and sharing memory with no other


def write_rest(
    folder: Path,
    family: str | None,
    config: MiniGPT4Config,
    tokenizer: PreTrainedTokenizerBase,
    how: str,
    made: dict[str, str],
    *,
    images: Mapping | None = None,
    chat: str | OwnChat | None = None,
    generation: Mapping | None = None,
) -> None:
    """
    Writes everything beside the weights: configuration with its code, generation defaults, processor and card.

    Args:
        folder (`Path`): where to.
        family (`str`, *optional*): its name; `None`: of no published one.
        config (`MiniGPT4Config`): of the model.
        tokenizer (`PreTrainedTokenizerBase`): knows the image token.
        how (`str`): how it was made, for the card.
        made (`dict[str, str]`): what it was made from, part -> name, for the card.
        images (`Mapping`, *optional*): what the image processor does otherwise than the published one.
        chat (`str` or `OwnChat`, *optional*): the family whose chat template it gets, or its own. Default: the family's.
        generation (`Mapping`, *optional*): defaults of generation in place of the family's.
    """
    record = get_family(family) if family else OTHER
    if isinstance(chat, OwnChat):
        template, stop_strings, starts = chat.template, [chat.end], chat.starts
        sequences: tuple[str, ...] = ()
    else:
        form = get_family(chat) if chat else record
        template, starts, sequences = chat_template(chat or str(family)), [form.answer_start], form.stop_strings
        stop_strings = [*sequences, tokenizer.eos_token]
    config.save_pretrained(folder)
    custom_object_save(MiniGPT4ForConditionalGeneration, folder)  # the code that config.json names
    text_config = config.get_text_config()
    ids = {name: getattr(text_config, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    ends = {"end_sequences": end_sequences(tokenizer, sequences)} if sequences else {}
    GenerationConfig(**(record.generation if generation is None else generation), **ends, **ids).save_pretrained(
        folder
    )
    size = config.image_size
    tokenizer.chat_template = None  # the processor has the one that counts
    MiniGPT4Processor(
        MiniGPT4ImageProcessorPil(**{**(images or {}), "size": {"height": size, "width": size}}),
        tokenizer,
        chat_template=template,
        num_image_tokens=config.num_image_tokens,
        stop_strings=stop_strings,
        task_identifiers=record.task_identifiers,
        answer_starts=starts,
        published_cuts=not isinstance(chat, OwnChat),
    ).save_pretrained(folder)
    _card(folder, family, how, made).save(folder / CARD)
    for weights in folder.glob("*.safetensors"):  # which safetensors lets only their owner read
        shutil.copymode(folder / CARD, weights)


def _card(folder: Path, family: str | None, how: str, made: dict[str, str]) -> ModelCard:
    """The card. Of an assembled model, whose language model may be any, less is known than of a published one."""
    record, published = get_family(family) if family else OTHER, CHECKPOINT in made
    licences = {**LICENCES, **({} if family else {"vision tower": "its own"})} | {
        "language model": record.licence if published else "its own"
    }
    return model_card(
        folder,
        title=record.title,
        family=family,
        how=how,
        parts=[(part, name, licences.get(part, "")) for part, name in made.items()],
        sections={TRAINING: f"As published: {record.training}"} if published else {},
        license=record.license if published else "other",
    )
