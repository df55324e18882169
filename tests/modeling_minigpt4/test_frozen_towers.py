"""Frozen towers keep nothing for a backward pass, whatever else asks for one."""

import pytest
import torch


@pytest.mark.parametrize("qformer", [True, False])
def test_gradients_only_where_somebody_learns(make_model, qformer):
    model = make_model(qformer=qformer).requires_grad_(False)
    model.model.multi_modal_projector.requires_grad_(True)
    model.gradient_checkpointing_enable()
    model.enable_input_require_grads()  # as PEFT and Trainer do with gradient checkpointing
    pixels = torch.randn(1, 3, 56, 56)

    def features(pixels: torch.Tensor) -> torch.Tensor:
        return model.train().model.get_vision_features(pixels).pooler_output

    assert not features(pixels).requires_grad
    assert model.get_image_features(pixels).pooler_output[0].requires_grad  # the projection learns
    next(model.model.vision_tower.parameters()).requires_grad_(True)
    assert features(pixels).requires_grad
    model.model.vision_tower.requires_grad_(False)
    assert features(pixels.requires_grad_()).requires_grad  # a saliency map, say
    with torch.no_grad():
        assert not features(pixels).requires_grad
