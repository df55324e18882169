"""The published files -> one complete folder."""

from collections.abc import Mapping
from pathlib import Path

from peft import LoraConfig
from safetensors.torch import save_file
from transformers.utils import ADAPTER_SAFE_WEIGHTS_NAME

from minigpt4.checkpoints.families import get_family
from minigpt4.checkpoints.writing import unfinished_folder

from .checkpoint import plan_checkpoint
from .folder import MAX_SHARD_SIZE, refuse_non_finite, write_rest, write_weights
from .parts import plan_parts
from .published_lora import DROPOUT, Lora
from .sources import open_source


def convert(
    family: str,
    *,
    vision: str | Path,
    language_model: str | Path,
    checkpoint: str | Path,
    output: str | Path,
    qformer: str | Path | None = None,
    config: str | Path | Mapping | None = None,
    keep_lora: bool = False,
    max_shard_size: str | int = MAX_SHARD_SIZE,
    quiet: bool = False,
) -> Path:
    """
    Turns the published files of a MiniGPT-4 or MiniGPT-v2 into one folder for `from_pretrained`.

    Every tensor comes from exactly one source and keeps its dtype; a key that is missing, unknown or of another shape
    stops the conversion before anything is written. The folder appears under its name when it is whole.

    Args:
        family (`str`): `"vicuna"`, `"llama2"` or `"v2"`.
        vision (`str` or `Path`): `eva_vit_g.pth`, or a folder or Hub id like `Salesforce/blip2-flan-t5-xxl`.
        language_model (`str` or `Path`): folder or Hub id of Vicuna or LLaMA-2-Chat.
        checkpoint (`str` or `Path`): the MiniGPT-4 checkpoint.
        output (`str` or `Path`): the new folder.
        qformer (`str` or `Path`, *optional*):
            `blip2_pretrained_flant5xxl.pth`, or a folder or Hub id like `Salesforce/blip2-flan-t5-xxl`. Needed for
            `vicuna`. The others take `ln_vision` from it; without it theirs is the identity, as published.
        config (`str`, `Path` or `Mapping`, *optional*):
            Fields of `MiniGPT4Config`, nested, that replace the family's; a mapping, or a JSON file of them.
        keep_lora (`bool`, defaults to `False`):
            Keep the LoRA as a PEFT adapter beside the weights, which `from_pretrained` loads with them, instead of
            merging it into the language model.
        max_shard_size (`str` or `int`, defaults to `"1GB"`): largest file of weights; it bounds the memory.
        quiet (`bool`, defaults to `False`): no progress bar.

    Returns:
        `Path`: of the folder.

    Raises:
        FileNotFoundError: a source that is not there.
        FileExistsError: where there is something at `output`.
        ValueError: a source that does not fit, or that is damaged or not safe to read.
        OSError: where the disk is full.

    Example:

    ```python
    >>> from minigpt4.conversion import convert

    >>> convert(
    ...     "v2",
    ...     vision="eva_vit_g.pth",
    ...     language_model="Llama-2-7b-chat-hf",
    ...     checkpoint="minigptv2_checkpoint.pth",
    ...     output="minigpt-v2",
    ... )
    ```
    """
    record = get_family(family)
    if keep_lora and record.lora_alpha is None:
        raise ValueError(f"The family {family} has no LoRA to keep: leave --keep-lora out.")
    with unfinished_folder(output) as folder:
        parts = plan_parts(family, vision=vision, qformer=qformer, language_model=language_model, config=config)
        plan = parts.plan
        lora = plan_checkpoint(plan, open_source(checkpoint), lora_alpha=record.lora_alpha)
        if lora is not None:
            if keep_lora:
                _write_adapter(lora, folder)
            else:
                lora.merge(plan)
                # Says that the language model is not the published one, and that the LoRA cannot be recovered.
                plan.config.merged_lora = {"r": lora.rank, "lora_alpha": lora.alpha, "target_modules": lora.modules}
        write_weights(plan, folder, max_shard_size=max_shard_size, quiet=quiet)
        made = {"vision tower": vision, "BLIP-2": qformer, "language model": language_model, "checkpoint": checkpoint}
        names = {part: Path(name).name for part, name in made.items() if name}
        write_rest(
            folder, family, plan.config, parts.tokenizer, "converted tensor by tensor with `minigpt4 convert`", names
        )
    return Path(output)


def _write_adapter(lora: Lora, folder: Path) -> None:
    LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=DROPOUT,
        target_modules=lora.modules,
        task_type="CAUSAL_LM",
        inference_mode=True,
    ).save_pretrained(str(folder))
    adapter = lora.adapter()
    for name, tensor in adapter.items():
        refuse_non_finite(tensor, f"{name}, from {lora.source.path},")
    save_file(adapter, folder / ADAPTER_SAFE_WEIGHTS_NAME, metadata={"format": "pt"})
