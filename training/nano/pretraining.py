"""The loop in which a part of nano learns from scratch, before it is frozen."""

import ctypes
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn
from transformers import get_cosine_schedule_with_warmup

from .muon import Float32Muon
from .progress import Step, report
from .settings import Pretraining


LOG_EVERY = 20
KEEP_EVERY = 120  # seconds


def keep_freed_memory() -> None:
    """Have glibc keep what is freed: on tensors of this size, giving pages back and asking again costs half the time."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:  # another C library: slower, nothing else
        return
    for option, value in ((-3, 1 << 30), (-1, (1 << 31) - 1), (-2, 500_000_000)):  # mmap and trim threshold, top pad
        libc.mallopt(option, value)


def pretrain(
    model: nn.Module,
    loss_at: Callable[[int], torch.Tensor],
    settings: Pretraining,
    title: str,
    kept: Path | None = None,
) -> None:
    """Minimise `loss_at(step)` over the parameters of `model`, which must be all that the loss depends on.

    Matrices inside the network learn by Muon, which here needs about half of AdamW's steps; embeddings, biases and
    norms by AdamW. Reports its steps as those of `title`.

    With `kept`, a file, the state of the training is written there every two minutes, and training goes on from there;
    then `loss_at` must depend on its step, the model and torch's generator alone."""
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    matrices = [p for p in model.parameters() if p.ndim == 2 and id(p) not in embeddings]
    others = [p for p in model.parameters() if p.ndim != 2 or id(p) in embeddings]
    muon: torch.optim.Optimizer
    if settings.float32:
        muon = Float32Muon(matrices, lr=settings.matrix_lr, weight_decay=settings.weight_decay)
    else:
        muon = torch.optim.Muon(
            matrices, lr=settings.matrix_lr, weight_decay=settings.weight_decay, adjust_lr_fn="match_rms_adamw"
        )
    optimizers = [
        muon,
        torch.optim.AdamW(others, lr=settings.lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]
    schedulers = [get_cosine_schedule_with_warmup(o, settings.warmup_steps, settings.steps) for o in optimizers]
    model.train()
    stateful = (model, *optimizers, *schedulers)
    start, saved = _restore(kept, stateful), time.monotonic()
    loss: torch.Tensor | None = None
    for step in range(start, settings.steps):
        if step % LOG_EVERY == 0:
            report(Step(title, step, settings.steps, None if loss is None else loss.item()))
        if kept and time.monotonic() - saved > KEEP_EVERY:
            _keep(kept, step, stateful)
            saved = time.monotonic()
        loss = loss_at(step)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, scheduler in zip(optimizers, schedulers, strict=True):
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
    report(Step(title, settings.steps, settings.steps, None if loss is None else loss.item()))
    model.eval()


def _keep(kept: Path, step: int, stateful: Sequence) -> None:
    part = kept.with_suffix(".part")
    states = [each.state_dict() for each in stateful]
    torch.save({"step": step, "states": states, "random": torch.get_rng_state()}, part)
    part.replace(kept)


def _restore(kept: Path | None, stateful: Sequence) -> int:
    """The step to begin with."""
    if kept is None or not kept.exists():
        return 0
    state = torch.load(kept, weights_only=True)
    for each, its_state in zip(stateful, state["states"], strict=True):
        each.load_state_dict(its_state)
    torch.set_rng_state(state["random"])
    return state["step"]
