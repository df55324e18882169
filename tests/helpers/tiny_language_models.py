"""A tiny configuration of every causal language model of transformers, and whether MiniGPT-4 takes it.

`python tests/helpers/tiny_language_models.py` writes language_models.json again, for another transformers: the
difference names what has changed.
"""

import json
from pathlib import Path

import torch
import transformers
from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING, PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration


RECORD = Path(__file__).parents[1] / "modeling_minigpt4" / "language_models.json"
ACCEPTED = "accepted"
MODEL_TYPES = [*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES]
IMAGE_TOKEN_ID = 5

# Of these, a configuration gets the fields that it has.
SIZES = {
    **dict.fromkeys(["hidden_size", "d_model", "n_embd", "embed_dim"], 32),
    **dict.fromkeys(["intermediate_size", "ffn_dim", "n_inner", "d_ff", "decoder_ffn_dim", "encoder_ffn_dim"], 64),
    **dict.fromkeys(["num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers", "encoder_layers"], 2),
    **dict.fromkeys(["num_attention_heads", "n_head", "n_heads"], 4),
    **dict.fromkeys(["decoder_attention_heads", "encoder_attention_heads"], 4),
    **dict.fromkeys(["max_position_embeddings", "n_positions"], 128),
    **dict.fromkeys(["num_experts", "num_local_experts", "n_routed_experts"], 4),
    **dict.fromkeys(["moe_intermediate_size", "shared_expert_intermediate_size"], 32),
    **dict.fromkeys(["q_lora_rank", "kv_lora_rank", "o_lora_rank"], 16),
    **dict.fromkeys(["head_dim", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "index_head_dim"], 8),
    **dict.fromkeys(["linear_key_head_dim", "linear_value_head_dim"], 8),
    **dict.fromkeys(["mamba_n_heads", "mamba_d_head", "mamba_d_state"], 8),
    "mamba_n_groups": 1,
    "vocab_size": 101,
    "num_key_value_heads": 2,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
    "index_n_heads": 2,
    "index_topk": 64,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}

NO_GROUPED_KEYS = {"num_key_value_heads": 4}
LINEAR_THEN_FULL = {"layer_types": ["linear_attention", "full_attention"]}
EVERY_FOURTH_IS_FULL = {"num_hidden_layers": 4}
# What does not follow from the sizes.
OTHERS = {
    **dict.fromkeys(["axk1", "axk2", "deepseek_v2", "deepseek_v3", "deepseek_v32"], NO_GROUPED_KEYS),
    **dict.fromkeys(["dots3_note_text", "glm4_moe_lite", "glm_moe_dsa", "longcat_flash", "youtu"], NO_GROUPED_KEYS),
    **dict.fromkeys(["qwen3_5_moe_text", "qwen3_5_text", "qwen3_next"], EVERY_FOURTH_IS_FULL),
    "bailing_hybrid": {**LINEAR_THEN_FULL, **NO_GROUPED_KEYS},
    "bamba": {"attn_layer_indices": [1]},
    "cohere_compass_text": {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 10000.0}}},
    "dots1": {**NO_GROUPED_KEYS, "n_shared_experts": 1},
    "falcon_h1": {"mamba_d_ssm": 64},
    "gemma3n_text": {"num_kv_shared_layers": 0},
    "gemma4_assistant": {"text_config": {"hidden_size_per_layer_input": 0, "vocab_size_per_layer_input": 0}},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "kimi_linear": {**LINEAR_THEN_FULL, **NO_GROUPED_KEYS, "linear_head_dim": 8, "linear_num_heads": 4},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "lfm3": {"layer_types": ["conv", "full_attention"]},
    "mamba2": {"num_heads": 8},
    "qwen4_exp_text": {
        **EVERY_FOURTH_IS_FULL,
        "hc_lowrank": 8,
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 8,
        "indexer_budget": 64,
        "indexer_compress_ratio": 4,
    },
    "reformer": {"is_decoder": True, "axial_pos_embds": False},
    "zamba": {"num_hidden_layers": 4, "layers_block_type": ["mamba", "hybrid"] * 2},
    "zamba2": {"num_hidden_layers": 4, "layers_block_type": ["linear_attention", "hybrid"] * 2, "adapter_rank": 4},
    "zaya": {"num_experts_per_tok": 1},
}


def tiny_config(model_type: str) -> PreTrainedConfig:
    """Of the language model alone."""
    config_class = CONFIG_MAPPING[model_type]
    names = {name: config_class.attribute_map.get(name, name) for name in SIZES}
    fields = {names[name]: size for name, size in SIZES.items() if names[name] in config_class.__dataclass_fields__}
    return config_class(**{**fields, **OTHERS.get(model_type, {})})


def config_around(text_config: PreTrainedConfig) -> MiniGPT4Config:
    """Of a MiniGPT-4 of which an image takes two tokens."""
    tower = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    return MiniGPT4Config(
        vision_config={**tower, "image_size": 28, "patch_size": 14, "initializer_range": 0.3},
        qformer_config=None,
        token_merge_size=2,
        text_config=text_config,
        image_token_id=IMAGE_TOKEN_ID,
    )


def verdict(model_type: str) -> str:
    """What the check says; an exception that is no `ValueError` comes through."""
    text_config = tiny_config(model_type)
    assert type(text_config) in MODEL_FOR_CAUSAL_LM_MAPPING
    try:
        with torch.device("meta"):
            MiniGPT4ForConditionalGeneration(config_around(text_config))
    except ValueError as error:
        return str(error)
    return ACCEPTED


if __name__ == "__main__":
    verdicts = {name: verdict(name) for name in MODEL_TYPES}
    record = {"transformers": transformers.__version__, "language_models": verdicts}
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
