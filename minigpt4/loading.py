"""Loading a checkpoint, under the name that guides and Spaces give it: see [`minigpt4.checkpoints.loading`]."""

from minigpt4.checkpoints.loading import load


__all__ = ["load"]
