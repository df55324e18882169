"""Tiny, seeded, untrained models of other kinds, as the papers compare with: they answer nonsense."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AddedToken,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipImageProcessorPil,
    CLIPImageProcessorPil,
    GenerationConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)


SIDE, PATCH = 28, 14
SPECIALS = ("<pad>", "<s>", "</s>", "<unk>")
VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": PATCH,
    "initializer_range": 0.3,
}
IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
LLAVA_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | upper }}: {% for item in message['content'] %}"
    "{% if item['type'] == 'image' %}<image>\n{% else %}{{ item['text'] }}{% endif %}{% endfor %} {% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def letters() -> PreTrainedTokenizerFast:
    """A tokenizer with a token for each byte, and one for images."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: index for index, piece in enumerate([*SPECIALS, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = dict(zip(("pad_token", "bos_token", "eos_token", "unk_token"), SPECIALS, strict=True))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    fast.add_special_tokens({"additional_special_tokens": [AddedToken("<image>", special=True)]})
    return fast


def write_blip2(folder: Path, language_model: str = "opt") -> Path:
    """A BLIP-2 with a tiny OPT, or with a T5, which reads the prompt in an encoder."""
    tokenizer = letters()
    image = tokenizer.convert_tokens_to_ids("<image>")
    text = {"model_type": "opt", "hidden_size": 16, "word_embed_proj_dim": 16, "ffn_dim": 32, "num_hidden_layers": 2}
    text |= {"num_attention_heads": 2, "max_position_embeddings": 256, "init_std": 0.3}
    if language_model == "t5":
        text = {"model_type": "t5", "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
        text |= {"decoder_start_token_id": 0, "initializer_factor": 2.0}
    config = Blip2Config(
        vision_config=VISION,
        qformer_config={
            "hidden_size": 16,
            "encoder_hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "initializer_range": 0.3,
        },
        text_config={**text, "vocab_size": len(tokenizer), **IDS},
        num_query_tokens=4,
        image_token_index=image,
    )
    _save(Blip2ForConditionalGeneration, config, folder)
    processor = BlipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    Blip2Processor(processor, tokenizer, num_query_tokens=4).save_pretrained(folder)
    return folder


def write_llava(folder: Path, chat_template: str | None = LLAVA_TEMPLATE) -> Path:
    """A LLaVA with a tiny Llama."""
    tokenizer = letters()
    config = LlavaConfig(
        vision_config={"model_type": "clip_vision_model", **VISION},
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "initializer_range": 0.5,
            **IDS,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=(SIDE // PATCH) ** 2,
    )
    _save(LlavaForConditionalGeneration, config, folder)
    sides = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    LlavaProcessor(
        CLIPImageProcessorPil(**sides),
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=chat_template,
    ).save_pretrained(folder)
    return folder


def _save(model_class, config, folder: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = model_class(config)
    model.generation_config = GenerationConfig(do_sample=False, max_new_tokens=12, **IDS)
    if model.config.get_text_config().is_encoder_decoder:
        model.generation_config.decoder_start_token_id = 0
    model.save_pretrained(folder)
