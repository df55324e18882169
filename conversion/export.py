"""The trained part of a folder -> a checkpoint in the original's form."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from transformers.utils import ADAPTER_CONFIG_NAME, ADAPTER_SAFE_WEIGHTS_NAME

from minigpt4.checkpoints.identity import Checkpoint, identify
from minigpt4.checkpoints.learned import PREFIX
from minigpt4.checkpoints.writing import unfinished_file

from .checkpoint import PROJECTION
from .names import CHECKPOINT, rename
from .plan import expected_shapes
from .published_lora import KEY
from .qformer import published_parts
from .sources import Source, local_folder


LORA_KEY = re.compile(r"model\.language_model\.(.+)\.lora_([AB])\.weight$")


def export(folder: str | Path, output: str | Path, *, towers: bool = False, newer_peft: bool = False) -> Path:
    """
    Writes the trained part of a MiniGPT-4 as an original-style checkpoint, `{"model": …, "config": …}`.

    That is the projection, and whatever a PEFT adapter holds: LoRA, and parts that learned in full. Tensors keep their
    dtype, so that converting the checkpoint again gives the same bytes.

    Args:
        folder (`str` or `Path`):
            Folder or Hub id of a MiniGPT-4, or of an adapter that names the MiniGPT-4 it belongs to.
        output (`str` or `Path`): the new file.
        towers (`bool`, defaults to `False`): also write `ln_vision`, the queries and the Q-Former.
        newer_peft (`bool`, defaults to `False`):
            Name LoRA `lora_A.default.weight`, as newer versions of PEFT do, and not `lora_A.weight`, as in the published
            checkpoints. The original code skips keys that its version of PEFT does not have. [`convert`] reads both.

    Returns:
        `Path`: of the file.

    Raises:
        FileExistsError: where there is something at `output`.
        ValueError: where a LoRA was merged into the language model, which cannot be undone, or something was trained that
            has no place in an original checkpoint.
    """
    output = Path(output)
    if output.exists():
        raise FileExistsError(f"{output} exists already: remove it, or give another --output.")
    folder = local_folder(folder)
    found = identify(folder)
    adapter_config = _plain_lora(found)
    config = found.base.read_config()
    base = local_folder(found.base.name, found.base.revision)
    if getattr(config, "merged_lora", None):
        raise ValueError(
            f"The LoRA of {base} was merged into its language model and cannot be taken out again: "
            "export a folder converted with --keep-lora, or an adapter trained on one."
        )
    source, wanted, parts = Source(base), expected_shapes(config), published_parts(config)
    names = [name for name in wanted if name.startswith((PROJECTION, *(parts if towers else ())))]
    model = {rename(name, CHECKPOINT): source.read(name).clone() for name in names}
    if adapter_config:
        model |= _adapter(
            folder / ADAPTER_SAFE_WEIGHTS_NAME,
            [name for name in wanted if name.startswith((PROJECTION, *parts))],
            ".default" if newer_peft else "",
        )
    settings = {}
    if any(KEY.match(key) for key in model):
        settings = {"lora_r": adapter_config["r"], "lora_alpha": adapter_config["lora_alpha"]}
    output.parent.mkdir(parents=True, exist_ok=True)
    with unfinished_file(output) as part:
        torch.save({"model": model, "config": {"model": settings}}, part)
    return output


def _plain_lora(checkpoint: Checkpoint) -> Mapping:
    for setting in ("use_dora", "use_rslora", "alpha_pattern", "rank_pattern"):
        if checkpoint.adapter.get(setting):
            file = Path(checkpoint.name, ADAPTER_CONFIG_NAME)
            raise ValueError(f"{file} has {setting}, for which an original checkpoint has no place.")
    return checkpoint.adapter


def _adapter(file: Path, names: list[str], which: str) -> dict[str, torch.Tensor]:
    """What an adapter holds, under the original's names; `which` stands between `lora_A` and `.weight`."""
    source, tensors = Source(file), {}
    for key in source.meta:
        name = key.removeprefix(PREFIX)
        if match := LORA_KEY.match(name):
            original = f"llama_model.base_model.model.model.{match[1]}.lora_{match[2]}{which}.weight"
        elif name in names:
            original = rename(name, CHECKPOINT)
        else:
            raise ValueError(f"{file} holds {name}, which has no place in an original checkpoint.")
        tensors[original] = source.read(key).clone()
    return tensors
