"""Weights of 8 bits by torchao, where it is installed: see docs/deploy.md."""

import pytest
import torch
from transformers import AutoModelForImageTextToText


torchao = pytest.importorskip("torchao.quantization")


@torch.no_grad()
def test_only_the_language_model_has_8_bits(make_model, make_prompt, tmp_path):
    from transformers import TorchAoConfig

    model = make_model()
    model.save_pretrained(tmp_path / "plain")
    asked = TorchAoConfig(torchao.Int8WeightOnlyConfig())
    quantized = AutoModelForImageTextToText.from_pretrained(tmp_path / "plain", quantization_config=asked)
    quantized.save_pretrained(tmp_path / "quantized")
    pixels = torch.randn(1, 3, 56, 56, generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": torch.tensor([make_prompt(model, 1, "image", 7)]), "pixel_values": pixels}
    expected = model(**inputs).logits
    for loaded in (quantized, AutoModelForImageTextToText.from_pretrained(tmp_path / "quantized")):
        linear = {name: each.weight for name, each in loaded.named_modules() if isinstance(each, torch.nn.Linear)}
        small = {name for name, weight in linear.items() if hasattr(weight, "qdata")}
        assert small == {name for name in linear if ".language_model." in name}
        assert all(linear[name].qdata.dtype == torch.int8 for name in small)
        assert 0 < (loaded(**inputs).logits - expected).abs().max() < 0.1 * expected.std()
