"""The loss of answers under a frozen head, without keeping logits."""

import torch
from torch import nn
from torch.autograd.function import once_differentiable


# Positions with logits at a time: few enough to need little memory, enough to keep the device busy.
POSITIONS = 128


def can_skip_logits(head: nn.Module) -> bool:
    """Whether the loss can be computed without logits: under a plain frozen head whose weight is here and complete."""
    weight = getattr(head, "weight", None)
    # Quantization and LoRA replace the module, FSDP and ZeRO the weight; accelerate's hooks fetch it from elsewhere.
    plain = type(head) is nn.Linear and type(weight) is nn.Parameter and not hasattr(head, "_hf_hook")
    return plain and weight.shape == (head.out_features, head.in_features) and not weight.requires_grad


def loss_without_logits(
    hidden_states: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    never: int,
    num_items_in_batch: torch.Tensor | int | None = None,
) -> torch.Tensor:
    """
    Cross-entropy of a frozen linear head.

    PyTorch's `linear_cross_entropy` keeps no logits either, from 2.13 on, and took five times as long on a CPU.

    Args:
        hidden_states (`torch.Tensor` of shape `(num_positions, hidden_size)`): what the head reads.
        weight (`torch.Tensor` of shape `(vocab_size, hidden_size)`): of the head.
        targets (`torch.LongTensor` of shape `(num_positions,)`): the tokens that come next, -100 where there is no loss.
        never (`int`): a token that is left out of the softmax.
        num_items_in_batch (`torch.Tensor` or `int`, *optional*): divides the sum; default: the number of targets.
    """
    total = _SummedLoss.apply(hidden_states, weight, targets, never)
    count = (targets != -100).sum() if num_items_in_batch is None else num_items_in_batch
    return total / (count.to(total.device) if isinstance(count, torch.Tensor) else count)


class _SummedLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden_states, weight, targets, never):
        total = torch.zeros((), device=hidden_states.device)
        gradient = torch.empty_like(hidden_states) if ctx.needs_input_grad[0] else None
        for start in range(0, len(hidden_states), POSITIONS):
            part = slice(start, start + POSITIONS)
            learned = (targets[part] != -100)[:, None]
            target = targets[part].clamp(min=0)[:, None]
            # In place from here: each copy is as wide as the vocabulary, and fresh memory is slow.
            logits = nn.functional.linear(hidden_states[part], weight)
            logits[:, never] = torch.finfo(logits.dtype).min
            dtype, logits = logits.dtype, logits.to(torch.promote_types(logits.dtype, torch.float32))
            logits -= logits.amax(-1, keepdim=True)
            total -= (logits.gather(1, target) * learned).sum()
            exponents = logits.exp_().sum(-1, keepdim=True)
            total += (exponents.log() * learned).sum()
            if gradient is not None:
                logits *= learned / exponents
                logits.scatter_add_(1, target, -learned.to(logits.dtype))
                gradient[part] = logits.to(dtype) @ weight.to(dtype)
            del logits
        ctx.gradient = gradient
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        return ctx.gradient * grad_output, None, None, None
