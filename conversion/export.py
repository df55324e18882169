"""The trained part of a folder -> a checkpoint in the original's form."""

import json
import re
from pathlib import Path

import torch

from .checkpoint import PROJECTION
from .names import CHECKPOINT, rename
from .plan import expected_shapes
from .qformer import PARTS
from .sources import Source, local_folder
from .verify import read_config


ADAPTER_KEY = re.compile(r"base_model\.model\.model\.language_model\.(.+)\.lora_([AB])\.weight$")


def export(folder: str | Path, output: str | Path, *, towers: bool = False) -> Path:
    """
    Writes the trained part of a MiniGPT-4 as an original-style checkpoint, `{"model": …, "config": …}`.

    That is the projection, and the LoRA where it was kept as an adapter. Tensors keep their dtype, so that converting the
    checkpoint again gives the same bytes.

    Args:
        folder (`str` or `Path`): folder or Hub id of a MiniGPT-4.
        output (`str` or `Path`): the new file.
        towers (`bool`, defaults to `False`): also write `ln_vision`, the queries and the Q-Former, where those were trained.

    Returns:
        `Path`: of the file.

    Raises:
        FileExistsError: where there is something at `output`.
        ValueError: where a LoRA was merged into the language model, which cannot be undone, or the adapter is another.
    """
    output = Path(output)
    if output.exists():
        raise FileExistsError(f"{output} exists already: remove it, or give another --output.")
    folder = local_folder(folder)
    config = read_config(folder)
    if getattr(config, "merged_lora", None):
        raise ValueError(
            f"The LoRA of {folder} was merged into its language model and cannot be taken out again: "
            "export a folder converted with --keep-lora."
        )
    source = Source(folder)
    names = [name for name in expected_shapes(config) if name.startswith((PROJECTION, *(PARTS if towers else ())))]
    model = {rename(name, CHECKPOINT): source.read(name).clone() for name in names}
    settings = {}
    if (folder / "adapter_config.json").is_file():
        adapter = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        settings = {"lora_r": adapter["r"], "lora_alpha": adapter["lora_alpha"]}
        model |= _lora(folder / "adapter_model.safetensors")
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(output.name + ".unfinished")
    try:
        torch.save({"model": model, "config": {"model": settings}}, part)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
    return output


def _lora(file: Path) -> dict[str, torch.Tensor]:
    source, tensors = Source(file), {}
    for key in source.meta:
        if not (match := ADAPTER_KEY.match(key)):
            raise ValueError(f"{file} holds {key}, which has no place in an original checkpoint: only LoRA has.")
        name = f"llama_model.base_model.model.model.{match[1]}.lora_{match[2]}.weight"
        tensors[name] = source.read(key).clone()
    return tensors
