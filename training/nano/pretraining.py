"""The loop in which a part of nano learns from scratch, before it is frozen."""

import ctypes
from collections.abc import Callable

import torch
from torch import nn
from tqdm.auto import tqdm
from transformers import get_cosine_schedule_with_warmup

from .settings import Pretraining


LOG_EVERY = 20


def keep_freed_memory() -> None:
    """Have glibc keep what is freed: on tensors of this size, giving pages back and asking again costs half the time."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:  # another C library: slower, nothing else
        return
    for option, value in ((-3, 1 << 30), (-1, (1 << 31) - 1), (-2, 500_000_000)):  # mmap and trim threshold, top pad
        libc.mallopt(option, value)


def pretrain(
    model: nn.Module, loss_at: Callable[[int], torch.Tensor], settings: Pretraining, title: str, row: int = 0
) -> None:
    """Minimise `loss_at(step)` over the parameters of `model`, which must be all that the loss depends on.

    Matrices inside the network learn by Muon, which here needs about half of AdamW's steps; embeddings, biases and
    norms by AdamW. Shows a progress bar `title` in line `row` of the terminal."""
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    matrices = [p for p in model.parameters() if p.ndim == 2 and id(p) not in embeddings]
    others = [p for p in model.parameters() if p.ndim != 2 or id(p) in embeddings]
    optimizers = [
        torch.optim.Muon(
            matrices, lr=settings.matrix_lr, weight_decay=settings.weight_decay, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(others, lr=settings.lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]
    schedulers = [get_cosine_schedule_with_warmup(o, settings.warmup_steps, settings.steps) for o in optimizers]
    model.train()
    progress = tqdm(range(settings.steps), desc=title, unit="step", position=row, dynamic_ncols=True)
    for step in progress:
        loss = loss_at(step)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, scheduler in zip(optimizers, schedulers, strict=True):
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
        if step % LOG_EVERY == 0:
            progress.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
    model.eval()
