"""A model put together from parts that learned on their own."""

from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import AutoTokenizer, GenerationConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from minigpt4.modeling_minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration


def join(
    towers: Mapping[str, torch.Tensor], language_model: Path, seed: int, **settings
) -> tuple[MiniGPT4ForConditionalGeneration, PreTrainedTokenizerFast]:
    """
    The pretrained parts in one model, with a new projection between them.

    Args:
        towers (`Mapping[str, torch.Tensor]`): all weights of the vision side, under their names in `MiniGPT4Model`.
        language_model (`Path`): a folder with a Llama and its tokenizer.
        seed (`int`): what is drawn by lot in a new model is drawn from it.
        settings: of `MiniGPT4Config`, without those of the language.
    """
    tokenizer = AutoTokenizer.from_pretrained(language_model)
    llama = LlamaForCausalLM.from_pretrained(language_model)
    llama.config._name_or_path = ""  # a folder of this build, which would be saved with the model
    image_token_id = tokenizer.convert_tokens_to_ids("<ImageHere>")
    torch.manual_seed(seed)
    model = MiniGPT4ForConditionalGeneration(
        MiniGPT4Config(text_config=llama.config, image_token_id=image_token_id, **settings)
    )
    language = {f"language_model.{name}": tensor for name, tensor in llama.model.state_dict().items()}
    # From nothing, so that all it ever holds was learned: the language model is never shown enough to unlearn the noise of
    # a random start, which would be larger than what is to be learned.
    projection = {
        f"multi_modal_projector.{name}": torch.zeros_like(tensor)
        for name, tensor in model.model.multi_modal_projector.state_dict().items()
    }
    model.model.load_state_dict({**towers, **language, **projection})
    model.tie_weights()
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=200,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return model.eval(), tokenizer
