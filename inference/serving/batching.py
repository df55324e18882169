"""How `transformers serve` has a model answer: several requests at once, each in a thread that waits for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import torch
from transformers.cli.serving.utils import GenerateManager

from minigpt4.inference.engine import MOST_ROWS
from minigpt4.inference.serving.client import SEED


MOST_WAITING = 64
MOST_REQUESTS = MOST_WAITING + MOST_ROWS


class BatchingManager(GenerateManager):
    """In place of the one thread of [`~transformers.cli.serving.utils.GenerateManager`]: `generate` of the model waits by itself."""

    def __init__(self) -> None:  # no thread of the parent's
        self._pool = ThreadPoolExecutor(MOST_REQUESTS, "request")

    def submit(self, fn: Callable, *args: Any, **kwargs: Any) -> Future:
        context = copy_context()
        context.run(SEED.set, int(torch.randint(2**62, ())))  # right after the server has seeded PyTorch
        return self._pool.submit(context.run, fn, *args, **kwargs)

    def async_submit(self, fn: Callable, *args: Any, **kwargs: Any) -> asyncio.Future:
        return asyncio.wrap_future(self.submit(fn, *args, **kwargs))
