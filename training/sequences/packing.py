"""Batches without padding: rows are laid end to end, and attention stays within each of them."""

import inspect
from itertools import accumulate

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask


try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:
    varlen_attn = None  # type: ignore[assignment]

from .collation import IGNORED, SequenceCollator


PACKED_ATTENTION = "packed_sdpa"
# In older versions of PyTorch it has no windows; the mask that transformers makes has the same effect, more slowly.
HAS_VARLEN = varlen_attn is not None and "window_size" in inspect.signature(varlen_attn).parameters


class PackingCollator(SequenceCollator):
    """
    Makes batches of the published training sequences without padding: one sequence of all rows, whose positions restart.

    Rows, images, labels and loss are those of [`SequenceCollator`]. Give the model packed attention, which costs what the
    rows alone cost; without it, and without flash attention, every position is compared with all others and then masked.

    Returns (when called with a list of rows):
        `BatchFeature`: `input_ids`, `position_ids` and `labels` of shape `(1, total_length)`, `logits_to_keep` of shape
        `(num_labels,)`, where the rows begin and end (`cu_seq_lens_q`, `cu_seq_lens_k` of shape `(batch_size + 1,)`,
        `max_length_q`, `max_length_k`), `pixel_values` and `rows` as there.

    Example:

    ```python
    >>> use_packed_attention(model)
    >>> Trainer(model, args, data_collator=PackingCollator(processor, sequence), train_dataset=rows).train()
    ```
    """

    def lay_out(self, sequences: list[list[int]], labels: list[list[int]]) -> dict:
        lengths = [len(sequence) for sequence in sequences]
        targets = torch.tensor([target for row in labels for target in (IGNORED, *row[1:])])
        ends = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32)
        return {
            "input_ids": torch.tensor([[token for sequence in sequences for token in sequence]]),
            "position_ids": torch.cat([torch.arange(length) for length in lengths])[None],
            "labels": targets[None],
            "logits_to_keep": (targets != IGNORED).nonzero()[:, 0] - 1,
            "cu_seq_lens_q": ends,
            "cu_seq_lens_k": ends,
            "max_length_q": max(lengths),
            "max_length_k": max(lengths),
        }


def use_packed_attention(model: PreTrainedModel) -> None:
    """Let the language model of `model` attend within the rows of packed batches, and as before in all others."""
    if "flash" not in (model.config.get_text_config()._attn_implementation or ""):  # which does so by itself
        model.set_attn_implementation({"text_config": PACKED_ATTENTION})


def why_not_packed(model: PreTrainedModel) -> str | None:
    """What keeps rows of `model` from being packed, or `None`."""
    language_model = model.get_decoder()
    name = language_model.config.model_type
    if not language_model._supports_attention_backend:
        return f"the attention of {name} cannot be replaced"
    if "position_ids" not in inspect.signature(language_model.forward).parameters:
        return f"{name} takes no positions"
    kinds = set(getattr(language_model.config, "layer_types", None) or [])
    if language_model._is_stateful or kinds - {"full_attention", "sliding_attention"}:
        return f"{name} has layers that carry a state from row to row"
    return None


def packed_attention(
    module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    cu_seq_lens_q: torch.Tensor | None = None,
    max_length_q: int | None = None,
    sliding_window: int | None = None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs,
) -> tuple[torch.Tensor, None]:
    """Attention of one packed sequence, row by row; of a batch that is not packed, PyTorch's."""
    settings = {"dropout": dropout, "scaling": scaling, **kwargs}
    if cu_seq_lens_q is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
    if query.is_cuda and not (HAS_VARLEN and dropout == 0 and value.dtype in (torch.float16, torch.bfloat16)):
        return sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
    if query.is_cuda:
        query, key, value = (states[0].transpose(0, 1).to(value.dtype) for states in (query, key, value))
        output = varlen_attn(
            query,
            key,
            value,
            cu_seq_lens_q,
            cu_seq_lens_q,
            int(max_length_q or 0),
            int(max_length_q or 0),
            scale=scaling,
            window_size=(-1 if sliding_window is None else sliding_window - 1, 0),
            enable_gqa=query.shape[1] != key.shape[1],
        )
        return torch.unsqueeze(output, 0), None  # type: ignore[arg-type]
    ends, lengths = cu_seq_lens_q.tolist(), cu_seq_lens_q.diff().tolist()
    outputs = []
    for end, *states in zip(ends[1:], *(states.split(lengths, dim=2) for states in (query, key, value)), strict=True):
        length = states[0].shape[2]
        mask = None
        if attention_mask is not None and sliding_window is not None and length > sliding_window:
            mask = attention_mask[..., end - length : end, end - length : end]
        outputs.append(sdpa_attention_forward(module, *states, mask, **settings)[0])
    return torch.cat(outputs, dim=1), None


AttentionInterface.register(PACKED_ATTENTION, packed_attention)
AttentionMaskInterface.register(PACKED_ATTENTION, sdpa_mask)
