"""Every causal language model of transformers is refused in one line, or runs inside MiniGPT-4 as it does alone."""

import json
import re

import pytest
import torch
import transformers
from helpers import read_guide
from helpers.tiny_language_models import (
    ACCEPTED,
    IMAGE_TOKEN_ID,
    MODEL_TYPES,
    RECORD,
    config_around,
    tiny_config,
    verdict,
)
from packaging import version
from torch import nn
from transformers import AutoModelForCausalLM, GenerationConfig

from minigpt4 import MiniGPT4ForConditionalGeneration


RECORDED_WITH, RECORDED = json.loads(RECORD.read_text()).values()
ACCEPTED_TYPES = [model_type for model_type in MODEL_TYPES if RECORDED.get(model_type) == ACCEPTED]
# Older releases have fewer types, some with other fields or faults of their own: with them, the check must not crash.
OLDER = version.parse(transformers.__version__) < version.parse(RECORDED_WITH)
not_with_older_ones = pytest.mark.skipif(OLDER, reason=f"recorded with transformers {RECORDED_WITH}")
GREEDY = GenerationConfig(max_new_tokens=6, do_sample=False, pad_token_id=0)
# Layers with a state read padding in other chunks, which float32 feels.
CLOSE = {"atol": 2e-3, "rtol": 2e-3}


@not_with_older_ones
def test_the_record_and_the_guide_know_every_type():
    assert sorted(RECORDED) == sorted(MODEL_TYPES), "run tiny_language_models.py, and look at what differs"
    guide = read_guide("convert")
    assert f"these are {len(ACCEPTED_TYPES)} of {len(MODEL_TYPES)} types" in guide
    refused = re.findall(r"^\| ((?:has|is|changes|reads|keeps) .+) \| (`.+`) \|$", guide, flags=re.MULTILINE)
    named = {reason: re.findall(r"`(.+?)`", types) for reason, types in refused}
    assert named == {
        reason: sorted(name for name, found in RECORDED.items() if f" {reason}" in found) for reason in named
    }
    assert sum(map(len, named.values())) == len(MODEL_TYPES) - len(ACCEPTED_TYPES)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_is_accepted_or_refused_in_one_line(model_type):
    found = verdict(model_type)
    assert "\n" not in found
    assert found == ACCEPTED or f"{tiny_config(model_type).model_type!r}" in found
    assert OLDER or found == RECORDED[model_type]


@pytest.fixture
def make_around():
    """Makes a seeded MiniGPT-4 around a language model, with weights large enough that answers differ."""

    def make(text_config) -> MiniGPT4ForConditionalGeneration:
        torch.manual_seed(0)
        model = MiniGPT4ForConditionalGeneration(config_around(text_config)).eval()
        for name, parameter in [*model.model.language_model.named_parameters(), *model.lm_head.named_parameters()]:
            if parameter.ndim > 1 and "norm" not in name:
                nn.init.normal_(parameter, std=0.2)
        model.generation_config.eos_token_id = None
        return model

    return make


@not_with_older_ones
@pytest.mark.parametrize("model_type", ACCEPTED_TYPES)
@torch.no_grad()
def test_an_accepted_one_says_what_it_says_alone(make_around, model_type):
    model = make_around(tiny_config(model_type))
    alone = AutoModelForCausalLM.from_config(tiny_config(model_type)).eval()
    alone.base_model.load_state_dict(model.model.language_model.state_dict())
    alone.get_output_embeddings().load_state_dict(model.lm_head.state_dict())
    ids = torch.tensor([[1, 11, 12, 13, 14, 15]])
    words = torch.arange(model.config.text_config.vocab_size) != IMAGE_TOKEN_ID
    torch.testing.assert_close(model(input_ids=ids).logits[..., words], alone(input_ids=ids).logits[..., words])


@not_with_older_ones
@pytest.mark.parametrize("model_type", ACCEPTED_TYPES)
def test_an_accepted_one_answers_and_learns(make_around, pad, model_type):
    model = make_around(tiny_config(model_type))
    image = [IMAGE_TOKEN_ID] * 2
    rows = [[1, 20, *image, 21, 22, 23], [1, 30, *image, 31]]
    pixels = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    batch = pad(rows, "left")
    positions = (batch["attention_mask"].cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        together = model(**batch, position_ids=positions, pixel_values=pixels).logits
    answers = model.generate(**batch, pixel_values=pixels, generation_config=GREEDY)[:, len(rows[0]) :]
    for index, row in enumerate(rows):
        alone = {"input_ids": torch.tensor([row]), "pixel_values": pixels[index : index + 1]}
        with torch.no_grad():
            torch.testing.assert_close(together[index, -len(row) :], model(**alone).logits[0], **CLOSE)
        answer = answers[index].tolist()
        for use_cache in (True, False):
            ids = model.generate(**alone, generation_config=GREEDY, use_cache=use_cache)[0, len(row) :]
            assert ids.tolist() == answer
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    model(**batch, pixel_values=pixels, labels=labels).loss.backward()
    gradient = model.model.multi_modal_projector.weight.grad
    assert gradient.isfinite().all()
    assert gradient.any()
