"""How parts without a trainable parameter behave in training."""

from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer


def leave_frozen_parts_in_eval_mode(module: nn.Module) -> None:
    """Puts the parts of a module without a trainable parameter into eval mode."""
    parameters = list(module.parameters())
    if any(parameter.requires_grad for parameter in parameters):
        for child in module.children():
            leave_frozen_parts_in_eval_mode(child)
    elif parameters:
        module.eval()
        # Gradients pass through a frozen language model: its layers checkpoint only where their own flag says training.
        for layer in module.modules():
            if isinstance(layer, GradientCheckpointingLayer) and layer.gradient_checkpointing:
                layer.training = True
