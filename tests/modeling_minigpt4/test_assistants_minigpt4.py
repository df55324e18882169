"""A plain language model drafts for nano: the answers are nano's own."""

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, LlamaConfig, LlamaForCausalLM

from minigpt4 import nano_path
from minigpt4.evaluation.scenes import draw, sample_scenes


@pytest.fixture(scope="module")
def nano():
    return AutoModelForImageTextToText.from_pretrained(nano_path()), AutoProcessor.from_pretrained(nano_path())


@pytest.fixture(scope="module")
def inputs(nano):
    """A picture, a first answer, and a second question: `###` stands in the prompt."""
    _, processor = nano
    picture = draw(next(iter(sample_scenes(seed=5))))
    chat = [
        {"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": "What is this?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "The image shows two objects."}]},
        {"role": "user", "content": [{"type": "text", "text": "Describe this image in detail."}]},
    ]
    return processor.apply_chat_template(
        chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )


def language_model(nano, placeholder: bool) -> LlamaForCausalLM:
    """nano's own, as a model of its own: with a row for the placeholder, or without, as it was published."""
    model, _ = nano
    rows = model.config.text_config.vocab_size - (not placeholder)
    llama = LlamaForCausalLM(LlamaConfig.from_dict(model.config.text_config.to_dict() | {"vocab_size": rows})).eval()
    weights = {f"model.{name}": tensor for name, tensor in model.model.language_model.state_dict().items()}
    weights["model.embed_tokens.weight"] = weights["model.embed_tokens.weight"][:rows]
    llama.load_state_dict(weights | {"lm_head.weight": model.lm_head.weight[:rows]})
    return llama


@pytest.mark.parametrize("placeholder", [True, False])
@pytest.mark.parametrize("settings", [{"do_sample": False}, {"do_sample": True, "top_k": 1}], ids=str)
def test_a_language_model_drafts(nano, inputs, placeholder, settings):
    model, processor = nano
    steps = []
    hook = model.lm_head.register_forward_pre_hook(lambda *_: steps.append(1))
    expected = model.generate(**inputs, **settings)
    alone = len(steps)
    steps.clear()
    answer = model.generate(**inputs, **settings, assistant_model=language_model(nano, placeholder))
    hook.remove()
    assert torch.equal(answer, expected)
    assert expected[0, -1] == processor.tokenizer.eos_token_id
    assert len(steps) < alone  # it knows the words that come


def test_a_language_model_with_a_tokenizer_of_its_own(nano, inputs):
    model, processor = nano
    llama = language_model(nano, placeholder=False)
    llama.resize_token_embeddings(llama.config.vocab_size + 7)
    answer = model.generate(
        **inputs, assistant_model=llama, tokenizer=processor.tokenizer, assistant_tokenizer=processor.tokenizer
    )
    assert torch.equal(answer, model.generate(**inputs))
