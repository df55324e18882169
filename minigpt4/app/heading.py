"""The top of the page: which model it is, how large, and what it is for."""

from pathlib import Path
from typing import TYPE_CHECKING

from minigpt4.hub_cards.embedded import EMBEDDED


if TYPE_CHECKING:
    from minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Processor


def about(checkpoint: str | None) -> str:
    """A line about a checkpoint for the top of the page; of a folder, only its name."""
    if checkpoint is None or checkpoint in EMBEDDED:
        return f"Model: {checkpoint or 'nano'}, which only knows drawn scenes of simple shapes, not photographs"
    return f"Model: {Path(checkpoint).name if Path(checkpoint).is_dir() else checkpoint}"


def heading(model: "MiniGPT4ForConditionalGeneration", processor: "MiniGPT4Processor", about: str) -> str:
    """The title with a line about the model, in Markdown."""
    does = (
        "Talks about pictures, finds and names things in them"
        if processor.task_identifiers
        else "Talks about pictures"
    )
    facts = [about, f"{_readable(model.num_parameters())} parameters", does]
    return f"# MiniGPT-4\n{' · '.join(filter(None, facts))}"


def _readable(number: int) -> str:
    """Three digits and a word: 2.11 million."""
    for size, word in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if number >= size:
            return f"{number / size:.3g} {word}"
    return str(number)
