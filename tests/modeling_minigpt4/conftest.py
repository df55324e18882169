"""Tiny seeded models, with and without a Q-Former."""

import pytest
import torch

from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration


@pytest.fixture(scope="session")
def make_config():
    """Makes a tiny configuration: `text` and `other` replace fields of the language model and of the whole."""

    def make(qformer: bool = True, text: dict | None = None, **other) -> MiniGPT4Config:
        fields = {
            "vision_config": {
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "image_size": 56,
                "patch_size": 14,
                "initializer_range": 0.2,
            },
            "qformer_config": {
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "initializer_range": 0.2,
            }
            if qformer
            else None,
            "text_config": {
                "model_type": "llama",
                "vocab_size": 101,
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 4,
                "initializer_range": 0.2,
                **(text or {}),
            },
            "num_query_tokens": 6,
        }
        return MiniGPT4Config(**{**fields, **other})

    return make


@pytest.fixture
def make_model(make_config):
    """Makes a tiny seeded model in eval mode."""

    def make(*args, **kwargs) -> MiniGPT4ForConditionalGeneration:
        torch.manual_seed(0)
        return MiniGPT4ForConditionalGeneration(make_config(*args, **kwargs)).eval()

    return make


@pytest.fixture
def make_prompt():
    """Makes the ids of one row: an integer stands for a token, `"image"` for all placeholders of an image."""

    def make(model: MiniGPT4ForConditionalGeneration, *parts) -> list[int]:
        placeholders = [model.config.image_token_id] * model.config.num_image_tokens
        return [token for part in parts for token in (placeholders if part == "image" else [part])]

    return make


@pytest.fixture
def pad():
    """Pads rows of ids to one length, on one side."""

    def pad_rows(rows: list[list[int]], side: str) -> dict[str, torch.Tensor]:
        width = max(map(len, rows))
        ids, masks = [], []
        for row in rows:
            gap = [0] * (width - len(row))
            ids.append(gap + row if side == "left" else row + gap)
            masks.append(gap + [1] * len(row) if side == "left" else [1] * len(row) + gap)
        return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(masks)}

    return pad_rows
