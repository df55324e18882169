"""Muon in float32: torch's own works in bfloat16, which takes a CPU that has to emulate it longer than all else of a step."""

from collections import defaultdict
from collections.abc import Iterable

import torch


# Of torch.optim.Muon, and of https://kellerjordan.github.io/posts/muon
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Float32Muon(torch.optim.Optimizer):
    """
    `torch.optim.Muon` with `adjust_lr_fn="match_rms_adamw"`, for matrices, those of one shape at once.

    Args:
        params (iterable of `torch.nn.Parameter`): matrices.
        lr (`float`): learning rate, of the size that AdamW would have.
        weight_decay (`float`, defaults to 0.01): share of `lr` that is taken off each step.
        momentum (`float`, defaults to 0.95): Nesterov's.
    """

    def __init__(
        self, params: Iterable[torch.nn.Parameter], lr: float, weight_decay: float = 0.01, momentum: float = 0.95
    ):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            alike = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike[parameter.shape].append(parameter)
            for shape, parameters in alike.items():
                updates = []
                for parameter in parameters:
                    state = self.state[parameter]
                    average = state.setdefault("momentum_buffer", torch.zeros_like(parameter))
                    average.lerp_(parameter.grad, 1 - group["momentum"])
                    updates.append(parameter.grad.lerp(average, group["momentum"]))
                scale = group["lr"] * 0.2 * max(shape) ** 0.5
                for parameter, update in zip(parameters, orthogonal(torch.stack(updates)), strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update, alpha=scale)


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """Nearly the nearest matrices with orthonormal rows or columns (number, rows, columns), by Newton and Schulz."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
