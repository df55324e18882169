"""Loading a checkpoint, with nano as the default."""

from pathlib import Path
from typing import TYPE_CHECKING

from minigpt4.checkpoints import loading
from minigpt4.hub_cards import nano_path


if TYPE_CHECKING:
    from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
    from minigpt4.processing import MiniGPT4Processor


def load(
    checkpoint: str | Path | None = None, trust_remote_code: bool = False
) -> "tuple[MiniGPT4ForConditionalGeneration, MiniGPT4Processor]":
    """[`minigpt4.checkpoints.loading.load`] of `checkpoint`, or of nano if it is `None`."""
    return loading.load(nano_path() if checkpoint is None else checkpoint, trust_remote_code)


__all__ = ["load"]
