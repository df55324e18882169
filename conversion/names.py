"""What tensors are called here and in the published files, and which of the published ones are not used."""

import re
from collections.abc import Iterable


LN_VISION = "model.vision_tower.post_layernorm."  # of BLIP-2's tower

# Parts of the model, in the order in which a table shows them, and the front of their tensors' names. `ln_vision` is
# the LayerNorm at the end of the tower, but was published with the Q-Former.
COMPONENTS = {
    "ln_vision": (LN_VISION,),
    "vision tower": ("model.vision_tower.", "model.vision_layer_norm."),
    "Q-Former": ("model.qformer.", "model.query_tokens"),
    "projection": ("model.multi_modal_projector.",),
    "language model": ("model.language_model.", "lm_head."),
    "LoRA": ("base_model.",),  # kept as an adapter
}

# Ours -> theirs, as regular expressions applied in this order.
EVA = {
    r"^model\.vision_tower\.embeddings\.class_embedding": "cls_token",
    r"^model\.vision_tower\.embeddings\.position_embedding": "pos_embed",
    r"^model\.vision_tower\.embeddings\.patch_embedding\.": "patch_embed.proj.",
    r"^model\.vision_tower\.encoder\.layers\.": "blocks.",
    r"\.self_attn\.qkv\.": ".attn.qkv.",
    r"\.self_attn\.projection\.": ".attn.proj.",
    r"\.layer_norm": ".norm",
}
BLIP2 = {
    r"^model\.vision_tower\.post_layernorm\.": "ln_vision.",
    r"^model\.query_tokens": "query_tokens",
    r"^model\.qformer\.layernorm\.": "Qformer.bert.embeddings.LayerNorm.",
    r"^model\.qformer\.": "Qformer.bert.",
    r"attention\.attention\.": "attention.self.",  # of `crossattention` too
}
CHECKPOINT = {r"^model\.multi_modal_projector\.": "llama_proj.", **BLIP2}
# BLIP-2 as transformers has it, the folders Salesforce/blip2-* of the Hub.
BLIP2_FOLDER = {
    r"^model\.vision_tower\.": "vision_model.",
    r"^model\.qformer\.": "qformer.",
    r"^model\.query_tokens": "query_tokens",
}
# Where a folder is sharded, the shards with none of these are not needed.
BLIP2_FOLDER_PARTS = ("vision_model.", "qformer.", "query_tokens")
LANGUAGE_MODEL = {r"^model\.language_model\.": "model."}

# Everything that published files hold and that is left out on purpose: pattern -> reason. All else must be used.
UNUSED_EVA = {
    r"blocks\.{num_layers}\.": "MiniGPT-4 ends before the last block",
    r"norm\.|head\.": "what follows the last block classifies images",
}
UNUSED_QFORMER = {
    r"Qformer\.bert\.embeddings\.(word_embeddings|position_embeddings|position_ids)": "the Q-Former reads no text here",
    r"Qformer\.bert\.encoder\.layer\.\d+\.(intermediate|output)\.": "the text path of the Q-Former",
    r"Qformer\.cls\.": "the head of the text path",
}
UNUSED_BLIP2 = {
    **UNUSED_QFORMER,
    r"(t5|opt)_proj\.": "BLIP-2's projection into its own language model",
}
UNUSED_WITHOUT_QFORMER = {
    **UNUSED_BLIP2,
    r"Qformer\.|query_tokens|qformer\.": "this model has no Q-Former: the file gives ln_vision only",
}
UNUSED_BLIP2_FOLDER = {
    r"language_model\.|language_projection\.": "BLIP-2's own language model, and the projection into it",
}
# The folder gives one part when it stands for the vision file, and the others when it stands for the BLIP-2 file.
NOT_VISION_FOLDER = {r"qformer\.|query_tokens|vision_model\.post_layernorm\.": "taken from the BLIP-2 file"}
NOT_QFORMER_FOLDER = {r"vision_model\.(?!post_layernorm\.)": "taken from the vision file"}
UNUSED_TOWER = {
    r"(pooler|head)\.": "pools the patches into one vector, which nothing here reads",
    r"embeddings\.position_ids": "computed from the configuration",
}
# Where BLIP-2's Q-Former stands over another tower.
UNUSED_WITHOUT_EVA = {r"ln_vision\.|vision_model\.": "of BLIP-2's own vision tower"}
UNUSED_LANGUAGE_MODEL = {
    r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq": "computed from the configuration",
}


def rename(name: str, table: dict[str, str]) -> str:
    """`name`, one of ours, as it is in the published file that the `table` is about."""
    for ours, theirs in table.items():
        name = re.sub(ours, theirs, name)
    return name


def component(name: str) -> str:
    """The part of the model that a tensor of ours belongs to."""
    return next(part for part, prefixes in COMPONENTS.items() if name.startswith(prefixes))


def is_unused(key: str, unused: Iterable[str]) -> bool:
    """Whether a key of a published file is one of those left out on purpose."""
    return any(re.match(pattern, key) for pattern in unused)
