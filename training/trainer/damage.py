"""Incomplete checkpoints: which files belong to one, and whether each can be read to its end."""

import json
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from safetensors import SafetensorError, safe_open
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME, TRAINER_STATE_NAME
from transformers.utils import (
    ADAPTER_CONFIG_NAME,
    ADAPTER_SAFE_WEIGHTS_NAME,
    SAFE_WEIGHTS_INDEX_NAME,
    SAFE_WEIGHTS_NAME,
)


# In their place with FSDP and DeepSpeed, which also write weights in pieces.
SHARDED_WEIGHTS = ("pytorch_model_fsdp*", "global_step*")
SHARDED_OPTIMIZERS = ("optimizer.bin", "optimizer_*/.metadata", "global_step*")


def find_damage(checkpoint: Path) -> str | None:
    """
    Look for files that are missing, empty, cut short or changed, without loading any.

    Weights are measured against their header. PyTorch's files are read once and compared with their checksums, which
    `torch.load` does not look at: 2.7 GB a second from memory.

    Args:
        checkpoint (`Path`): a folder that a `Trainer` wrote.

    Returns:
        `str`: what is wrong with which file, such as `"optimizer.pt is empty"`; `None` if nothing is.
    """
    if missing := find_missing(checkpoint, _files(checkpoint)):
        return missing
    for file in sorted(checkpoint.rglob("*")):
        if file.suffix in READERS and file.is_file():
            name = file.relative_to(checkpoint)
            if file.stat().st_size == 0:
                return f"{name} is empty"
            try:
                READERS[file.suffix](file)
            except (ValueError, EOFError, SafetensorError, BadZipFile):
                return f"{name} is cut short or damaged"
    return None


def find_missing(checkpoint: Path, needed: Sequence[tuple[str, ...]]) -> str | None:
    """As [`find_damage`], for files that `needed` names: patterns, of which one of each tuple must be there."""
    for names in needed:
        if not any(any(checkpoint.glob(name)) for name in names):
            return f"{names[0]} is missing"
    return None


def _files(checkpoint: Path) -> list[tuple[str, ...]]:
    files = [(TRAINER_STATE_NAME,), (OPTIMIZER_NAME, *SHARDED_OPTIMIZERS), (SCHEDULER_NAME, "global_step*")]
    if (checkpoint / ADAPTER_CONFIG_NAME).exists() or (checkpoint / ADAPTER_SAFE_WEIGHTS_NAME).exists():
        return [*files, (ADAPTER_SAFE_WEIGHTS_NAME, *SHARDED_WEIGHTS), (ADAPTER_CONFIG_NAME,)]
    index = checkpoint / SAFE_WEIGHTS_INDEX_NAME
    if not index.exists() and not any(checkpoint.glob("model-*-of-*.safetensors")):
        return [*files, (SAFE_WEIGHTS_NAME, *SHARDED_WEIGHTS)]
    try:
        pieces = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pieces = []  # the index itself is missing or damaged
    return [*files, (SAFE_WEIGHTS_INDEX_NAME,), *((piece,) for piece in pieces)]


def _read_json(file: Path) -> None:
    if not isinstance(json.loads(file.read_bytes()), (dict, list)):
        raise ValueError(file)


def _read_tensors(file: Path) -> None:
    with safe_open(file, "pt"):
        pass


def _read_zip(file: Path) -> None:
    with ZipFile(file) as records:
        if records.testzip() is not None:
            raise ValueError(file)


READERS = {
    ".json": _read_json,
    ".safetensors": _read_tensors,
    **dict.fromkeys((".pt", ".pth", ".bin"), _read_zip),
}
