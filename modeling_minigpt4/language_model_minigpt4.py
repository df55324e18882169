"""Which language models can stand inside MiniGPT-4."""

import copy
import inspect
from dataclasses import dataclass

import torch
from torch import nn
from transformers.configuration_utils import PreTrainedConfig
from transformers.modeling_outputs import BaseModelOutput
from transformers.models.auto import AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_MAPPING


# The arguments that MiniGPT-4 passes to its language model, by name.
INPUTS = ("inputs_embeds", "attention_mask", "position_ids", "past_key_values")

# What some causal language models do around their head, by the names of their configurations: for the error message.
HEAD_SETTINGS = (
    "final_logit_softcapping",
    "logits_soft_cap",
    "logit_scale",
    "logits_scaling",
    "output_multiplier",
    "lm_head_multiplier",
)


def refuse_unsuitable_language_model(config: PreTrainedConfig) -> None:
    """
    Refuses a language model that would load, and then run wrongly.

    Nothing here goes by the names of models: a copy without weights is asked what it takes and what it does.

    Args:
        config (`MiniGPT4Config`): the configuration of the whole model.

    Raises:
        ValueError: if the language model is not a causal one with `embed_tokens` and a plain `lm_head`, if it reads
            anything but embeddings or keeps a cache of its own, if it changes what goes into the head or comes out of it,
            or if its vocabulary has no row for the image placeholder.
    """
    text_config = config.text_config
    name = text_config.model_type
    if type(text_config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ValueError(f"The language model {name!r} is not a causal one: MiniGPT-4 needs one like LLaMA.")
    if text_config.is_encoder_decoder:
        raise ValueError(
            f"The language model {name!r} is the decoder of an encoder-decoder: MiniGPT-4 needs one like LLaMA."
        )
    if not config.image_token_id < text_config.vocab_size:
        raise ValueError(
            f"image_token_id is {config.image_token_id}, but the language model has only {text_config.vocab_size} "
            f"rows: resize its embeddings to at least {config.image_token_id + 1}."
        )
    try:
        causal_lm = _shallow_causal_lm(text_config)
        reason = _what_does_not_fit(causal_lm) or _what_the_head_would_lose(causal_lm)
    except Exception as error:  # any error of a configuration that does not fit its own model
        reason = " ".join(f"cannot be made from its configuration ({type(error).__name__}: {error})".split())
        raise ValueError(f"The language model {name!r} {reason}.") from error
    if reason:
        raise ValueError(f"The language model {name!r} {reason}: MiniGPT-4 needs one laid out like LLaMA.")


def _shallow_causal_lm(text_config: PreTrainedConfig) -> nn.Module:
    """The language model without weights and with as few layers as it can have."""
    shallow = copy.deepcopy(text_config)
    if getattr(shallow, "layer_types", None) is None:
        shallow.num_hidden_layers = 1
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(shallow, dtype=torch.float32, trust_remote_code=False)


def _what_does_not_fit(causal_lm: nn.Module) -> str | None:
    base = causal_lm.base_model
    if not isinstance(getattr(base, "embed_tokens", None), nn.Module):
        return "has no embed_tokens"
    classes = MODEL_MAPPING.get(type(causal_lm.config), ())
    if type(base) not in (classes if isinstance(classes, tuple) else (classes,)):
        return f"is a {type(base).__name__} inside, which AutoModel does not make"
    if missing := [name for name in INPUTS if name not in inspect.signature(base.forward).parameters]:
        return f"takes no {missing[0]}"
    kinds = {type(module) for module in base.modules() if module not in (base, base.embed_tokens)}
    if any(_needs_token_ids(kind) for kind in kinds):
        return "reads token ids inside its layers, and an image has none"
    if not causal_lm._supports_default_dynamic_cache():
        return "keeps a cache of its own kind"
    return None


def _needs_token_ids(kind: type[nn.Module]) -> bool:
    parameter = inspect.signature(kind.forward).parameters.get("input_ids")
    return parameter is not None and parameter.default is inspect.Parameter.empty


@dataclass
class _HiddenStatesOnly(BaseModelOutput):
    """Every other field that a base model may return is `None`."""

    def __getattr__(self, name: str) -> None:
        return None


@torch.no_grad()
def _what_the_head_would_lose(causal_lm: nn.Module) -> str | None:
    """What is done beside the product with the head's weight, found with numbers in place of what base and head give."""
    base, head = causal_lm.base_model, causal_lm.get_output_embeddings()
    if not isinstance(head, nn.Linear):
        return f"has a {type(head).__name__} as its head"
    if head.bias is not None:
        return "has a bias in its head, which would be lost"
    given = {"dtype": torch.float32, "device": "cpu"}  # the defaults differ while weights are loaded
    hidden_states = torch.linspace(-100, 100, 2 * head.in_features, **given).view(1, 2, -1)
    logits = torch.linspace(-100, 100, 2 * head.out_features, **given).view(1, 2, -1)
    seen = []

    def product(inputs: torch.Tensor) -> torch.Tensor:
        seen.append(inputs)
        return logits

    base.forward = lambda *args, **kwargs: _HiddenStatesOnly(last_hidden_state=hidden_states)
    head.forward = product
    outputs = causal_lm(input_ids=torch.zeros(1, 2, dtype=torch.long, device="cpu"), use_cache=False, return_dict=True)
    if len(seen) == 1 and torch.equal(seen[0], hidden_states) and torch.equal(outputs.logits, logits):
        return None
    settings = {setting: getattr(causal_lm.config, setting, None) for setting in HEAD_SETTINGS}
    found = [f"{setting}={value}" for setting, value in settings.items() if value is not None]
    return f"changes its logits ({', '.join(found) or 'in its own way'}), which would be lost"
