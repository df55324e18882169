"""Small language models with the special tokens, the settings and the ends of those that are published today."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM


# How Llama 3, Qwen and Phi-4 cut texts, all but alike.
WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SENTENCES = [
    "A red circle left of a blue square. ###Human: <Img></Img> Describe this image in detail. ###Assistant: ",
    "[INST] The image shows a green triangle. [/INST] A white ring.###",
]


@dataclass(frozen=True)
class LanguageModel:
    """
    Args:
        model_type (`str`): in transformers.
        specials (`tuple[str, ...]`): special tokens, some of many, in the order of their ids.
        settings (`dict`): of `tokenizer_config.json`.
        ends (`tuple[str, ...]`): what `generation_config.json` lists; one alone is a number there.
        config (`dict`): what a small model of this type needs beside the usual sizes.
        starts (`bool`): whether the tokenizer puts the start token in front.
    """

    model_type: str
    specials: tuple[str, ...]
    settings: dict
    ends: tuple[str, ...]
    config: dict = field(default_factory=dict)
    starts: bool = False

    @property
    def end(self) -> str:
        return self.settings["eos_token"]


QWEN = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|image_pad|>", "<|video_pad|>")
LLAMA = ("<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|eom_id|>", "<|eot_id|>")
LLAMA += ("<|python_tag|>", "<|reserved_special_token_1|>", "<|reserved_special_token_2|>")
GEMMA = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>")
PHI = ("<|dummy_0|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|im_sep|>", "<|dummy_87|>")
HARMONY = ("<|startoftext|>", "<|endoftext|>", "<|return|>", "<|constrain|>", "<|channel|>", "<|start|>", "<|end|>")
HARMONY += ("<|message|>", "<|call|>", "<|endofprompt|>")
QWEN_CLASS = {"tokenizer_class": "Qwen2Tokenizer", "bos_token": None, "unk_token": None, "add_bos_token": False}
LLAMA_CLASS = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>"}
GPT2_CLASS = {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False, "unk_token": "<|endoftext|>"}
EXPERTS = {"num_local_experts": 2, "num_experts_per_tok": 1, "head_dim": 8}

LANGUAGE_MODELS = {
    "Qwen3": LanguageModel(
        "qwen3",
        QWEN,
        QWEN_CLASS | {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
        ends=("<|im_end|>", "<|endoftext|>"),
        config={"head_dim": 8, "tie_word_embeddings": True},
    ),
    "Qwen3-Base": LanguageModel(
        "qwen3",
        QWEN,
        QWEN_CLASS | {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
        ends=("<|endoftext|>",),
        config={"head_dim": 8, "tie_word_embeddings": True},
    ),
    "Llama-3-Instruct": LanguageModel(
        "llama",
        LLAMA,
        LLAMA_CLASS | {"eos_token": "<|eot_id|>"},
        ends=("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"),
        starts=True,
    ),
    "Llama-3": LanguageModel(
        "llama", LLAMA, LLAMA_CLASS | {"eos_token": "<|end_of_text|>"}, ends=("<|end_of_text|>",), starts=True
    ),
    "Gemma-3-it": LanguageModel(
        "gemma3_text",
        GEMMA,
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<bos>",
            "eos_token": "<eos>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
        },
        ends=("<eos>", "<end_of_turn>"),
        config={"head_dim": 8, "tie_word_embeddings": True},
        starts=True,
    ),
    "Phi-4": LanguageModel(
        "phi3",
        PHI,
        GPT2_CLASS | {"bos_token": "<|endoftext|>", "eos_token": "<|im_end|>", "pad_token": "<|dummy_87|>"},
        ends=("<|endoftext|>", "<|im_end|>"),
    ),
    "OLMo-2": LanguageModel(
        "olmo2",
        ("<|endoftext|>", "<|pad|>"),
        GPT2_CLASS | {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|pad|>"},
        ends=("<|endoftext|>",),
    ),
    "OLMo": LanguageModel(
        "olmo",
        ("<|endoftext|>", "<|padding|>"),
        {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>", "pad_token": "<|padding|>"},
        ends=("<|endoftext|>",),
    ),
    "gpt-oss": LanguageModel(
        "gpt_oss",
        HARMONY,
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<|startoftext|>",
            "eos_token": "<|return|>",
            "pad_token": "<|endoftext|>",
        },
        ends=("<|return|>", "<|endoftext|>", "<|call|>"),
        config=EXPERTS,
    ),
}


def write_language_model(folder: Path, model: LanguageModel) -> Path:
    """Writes tokenizer, generation config and seeded weights, as a folder from the Hub holds them."""
    folder.mkdir(parents=True)
    tokenizer = write_tokenizer(folder, model)
    ids = {name: tokenizer.token_to_id(model.settings.get(name) or "") for name in ("bos_token", "pad_token")}
    ends = [tokenizer.token_to_id(end) for end in model.ends]
    config = AutoConfig.for_model(
        model.model_type,
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.1,
        bos_token_id=ids["bos_token"],
        eos_token_id=tokenizer.token_to_id(model.end),
        pad_token_id=ids["pad_token"],
        **model.config,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    generation = {"eos_token_id": ends if len(ends) > 1 else ends[0], "bos_token_id": ids["bos_token"]}
    (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder


def write_tokenizer(folder: Path, model: LanguageModel) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=list(model.specials),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 5, trainer)
    if model.starts:
        start = model.settings["bos_token"]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{start} $A", special_tokens=[(start, tokenizer.token_to_id(start))]
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    added = {
        str(id_): {"content": token.content, "special": token.special, "normalized": token.normalized}
        for id_, token in tokenizer.get_added_tokens_decoder().items()
    }
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added, **model.settings}))
    return tokenizer


# What instruct models bring along, in the published wording.
CHATML = """\
{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == 'assistant' %}
        {%- set content = message.content %}
        {%- set reasoning = '' %}
        {%- if '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.last %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""
LLAMA_3 = (
    "{{- bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' "
    "+ message['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
GEMMA_3 = """\
{{ bos_token }}
{%- for message in messages -%}
    {%- set role = "model" if message.role == "assistant" else message.role -%}
    {{ '<start_of_turn>' + role + '\\n' -}}
    {{ message['content'] | trim -}}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model\\n'}}
{%- endif -%}
"""
CHAT_TEMPLATES = {"Qwen3": CHATML, "Llama-3-Instruct": LLAMA_3, "Gemma-3-it": GEMMA_3}


def write_chat_model(folder: Path, model: LanguageModel, template: str) -> Path:
    """[`write_language_model`] with a chat template beside it."""
    write_language_model(folder, model)
    (folder / "chat_template.jinja").write_text(template)
    return folder
