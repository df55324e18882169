"""The published sets, under the name that guides give them: see [`minigpt4.training.data.sets`]."""

from .data.sets import *  # noqa: F403
