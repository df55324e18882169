"""Non-finite losses and gradients: detected at once, and traced to their origin."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.distributed.tensor import DTensor


class NonFiniteError(ValueError):
    """A loss or a gradient is infinite or not a number."""


def is_finite(loss: torch.Tensor, model: nn.Module | None) -> bool:
    """Whether the loss and, with a model, all gradients of what learns are numbers. Waits for the device once."""
    parameters = model.parameters() if model is not None else ()
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    # Of what FSDP2 shares out, each process looks at its part.
    parts = [gradient.to_local() if isinstance(gradient, DTensor) else gradient for gradient in gradients]
    sums = [loss.detach().sum().float(), *(part.sum().float().to(loss.device) for part in parts)]
    return bool(torch.stack(sums).isfinite().all())


def describe_non_finite(trainer, inputs: Mapping, rows: list | None, loss: torch.Tensor) -> str:
    """One line on a loss or gradient that is not finite: step, rows, the first module, and what is kept."""
    step = trainer.state.global_step + 1
    samples = f"rows {', '.join(map(str, rows))}" if rows is not None else "rows without numbers"
    what = f"The loss is {loss.item()}" if not loss.isfinite().all() else "The loss is finite, but a gradient is not"
    where = first_non_finite(trainer, inputs)
    saved = f"checkpoints of earlier steps in {trainer.args.output_dir} are complete"
    return f"{what} at step {step} ({samples}): {where}. No weight was changed by this step; {saved}."


@torch.no_grad()
def first_non_finite(trainer, inputs: Mapping) -> str:
    """Where the first value that is not a number stands: among the weights, in a module's output, or in a gradient."""
    model = trainer.model
    for name, parameter in model.named_parameters():
        if not parameter.isfinite().all():
            return f"the weight {name} has non-finite values"
    found: list[str] = []

    def watch(name: str):
        def hook(module, arguments, output):
            tensors = (
                output.values() if isinstance(output, Mapping) else output if isinstance(output, tuple) else [output]
            )
            tensors = [tensor for tensor in tensors if isinstance(tensor, torch.Tensor) and tensor.is_floating_point()]
            if not found and not all(tensor.isfinite().all() for tensor in tensors):
                found.append(name)

        return hook

    # Modules end from the inside out, so the first one that shows it is where it began.
    hooks = [module.register_forward_hook(watch(name)) for name, module in model.named_modules() if name]
    try:
        with trainer.compute_loss_context_manager():
            trainer.compute_loss(model, trainer._prepare_inputs(dict(inputs)))
    finally:
        for hook in hooks:
            hook.remove()
    if found:
        return f"the first module whose output is not finite is {found[0]}"
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not parameter.grad.isfinite().all():
            return f"the first gradient that is not finite is that of {name}"
    return "the loss alone is not finite"
