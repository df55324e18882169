"""Which language models can stand inside MiniGPT-4."""

import copy

import torch
from torch import nn
from transformers.configuration_utils import PreTrainedConfig
from transformers.models.auto import AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING


# What some causal language models do around their head, outside of the base model that MiniGPT-4 holds, and the value
# with which it does nothing. Their head is a plain Linear here, so that this would be lost without a word.
HEAD_SETTINGS = {
    "final_logit_softcapping": None,
    "logit_scale": 1.0,
    "logits_scaling": 1.0,
    "output_multiplier": 1.0,
    "lm_head_multiplier": 1.0,
}


def refuse_unsuitable_language_model(config: PreTrainedConfig) -> None:
    """
    Refuses a language model that would load, and then run wrongly.

    Args:
        config (`MiniGPT4Config`): the configuration of the whole model.

    Raises:
        `ValueError`: if the language model is not a causal one with `embed_tokens` and a plain `lm_head`, if it changes
            its logits after the head, or if its vocabulary has no row for the image placeholder.
    """
    text_config = config.text_config
    name = text_config.model_type
    if type(text_config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ValueError(f"The language model {name!r} is not a causal one: MiniGPT-4 needs one like LLaMA.")
    for setting, neutral in HEAD_SETTINGS.items():
        value = getattr(text_config, setting, None)
        if value is not None and value != neutral:
            raise ValueError(
                f"The language model {name!r} has {setting}={value}, which would be lost in MiniGPT-4: "
                "choose a language model with a plain head."
            )
    if getattr(text_config, "hidden_size_per_layer_input", 0):
        raise ValueError(f"The language model {name!r} reads token ids in every layer, but an image has none.")
    if not config.image_token_id < text_config.vocab_size:
        raise ValueError(
            f"image_token_id is {config.image_token_id}, but the language model has only {text_config.vocab_size} "
            f"rows: resize its embeddings to at least {config.image_token_id + 1}."
        )
    causal_lm = _shallow_causal_lm(text_config)
    if not isinstance(getattr(causal_lm.base_model, "embed_tokens", None), nn.Module):
        raise ValueError(f"The language model {name!r} has no embed_tokens: MiniGPT-4 needs one laid out like LLaMA.")
    head = causal_lm.get_output_embeddings()
    if getattr(head, "bias", None) is not None:
        raise ValueError(
            f"The head of the language model {name!r} has a bias, which would be lost in MiniGPT-4: "
            "choose a language model with a plain head."
        )


def _shallow_causal_lm(text_config: PreTrainedConfig) -> nn.Module:
    """The language model without weights and with as few layers as it can have."""
    shallow = copy.deepcopy(text_config)
    if getattr(shallow, "layer_types", None) is None:
        shallow.num_hidden_layers = 1
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(shallow, trust_remote_code=False)
