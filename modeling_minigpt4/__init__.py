"""Configuration and network of MiniGPT-4."""

from .configuration_minigpt4 import MiniGPT4Config
from .modeling_minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Model, MiniGPT4PreTrainedModel


__all__ = ["MiniGPT4Config", "MiniGPT4ForConditionalGeneration", "MiniGPT4Model", "MiniGPT4PreTrainedModel"]
