"""Loading a checkpoint, with the embedded ones by name."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from minigpt4.checkpoints import loading
from minigpt4.hub_cards.embedded import embedded


if TYPE_CHECKING:
    from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
    from minigpt4.processing import MiniGPT4Processor


def load(
    checkpoint: str | Path | None = None,
    trust_remote_code: bool = False,
    dtype: str = "auto",
    device_map: Any = "auto",
) -> "tuple[MiniGPT4ForConditionalGeneration, MiniGPT4Processor]":
    """[`minigpt4.checkpoints.loading.load`] of `checkpoint`, which may also be `nano`, the default, or `nano-v2`."""
    return loading.load(embedded(checkpoint or "nano"), trust_remote_code, dtype, device_map)
