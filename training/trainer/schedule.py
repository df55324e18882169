"""The learning-rate curve of the published training."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def published_learning_rate(
    step: int, total_steps: int, init_lr: float, min_lr: float, warmup_lr: float, warmup_steps: int
) -> float:
    """
    Learning rate at a step (from 0) of the published training of MiniGPT-4 and MiniGPT-v2.

    Linear from `warmup_lr` to `init_lr` over the warm-up, then a half cosine down to `min_lr` at `total_steps`. The cosine
    counts from the very first step, so the rate is a little below `init_lr` when the warm-up ends. transformers' schedules
    count it from the end of the warm-up.
    """
    if step < warmup_steps:
        return warmup_lr + (init_lr - warmup_lr) * step / warmup_steps
    return min_lr + (init_lr - min_lr) * 0.5 * (1 + math.cos(math.pi * min(step / total_steps, 1.0)))


def published_schedule(
    optimizer: Optimizer, total_steps: int, init_lr: float, min_lr: float, warmup_lr: float, warmup_steps: int
) -> LambdaLR:
    """A scheduler for [`published_learning_rate`]; the optimizer's own learning rate must be `init_lr`."""

    def factor(step: int) -> float:
        return published_learning_rate(step, total_steps, init_lr, min_lr, warmup_lr, warmup_steps) / init_lr

    return LambdaLR(optimizer, factor)
