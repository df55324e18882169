"""The language model, with a row for the image placeholder."""

import torch
from transformers import AutoModelForCausalLM

from .configuration import read_text_config
from .names import LANGUAGE_MODEL, UNUSED_LANGUAGE_MODEL, rename
from .plan import Plan
from .renamed import RenamedSource
from .sources import Source
from .tokenizer import LLAMA_TYPES


EMBEDDING = "model.language_model.embed_tokens.weight"
HEAD = "lm_head.weight"
# The norm before the head. Its weights are around one and above in every LLaMA; in a difference of two, around 0.001.
NORM = "model.norm.weight"
SMALLEST_NORM = 0.05


def plan_language_model(plan: Plan, source: Source) -> None:
    """
    Plans the language model.

    Raises:
        ValueError: also where the head is tied to the embeddings by its configuration, but other weights are stored, and
            where the weights are published differences from LLaMA.
    """
    names = plan.select("model.language_model.", HEAD)
    keys = {rename(name, LANGUAGE_MODEL): name for name in names}
    if any(key not in source.meta for key in keys):
        source, base = _as_transformers_loads_it(source)
        keys = {rename(name, {r"^model\.language_model\.": base}): name for name in names}
    unused = [*UNUSED_LANGUAGE_MODEL]
    if HEAD not in plan.wanted and HEAD in source.meta:
        _refuse_untied_head(source, next(key for key, name in keys.items() if name == EMBEDDING))
        unused.append(rf"{HEAD}$")
    plan.claim(source, keys, unused, "language model")
    grown = {key: name for key, name in keys.items() if name in (EMBEDDING, HEAD)}
    plan.copy(source, {key: name for key, name in keys.items() if key not in grown})
    text_config = read_text_config(source.path)
    if text_config.model_type in LLAMA_TYPES:
        _refuse_differences(source)
    for key, name in grown.items():
        _plan_with_row(plan, source, key, name, text_config.vocab_size)


def _refuse_differences(source: Source) -> None:
    """Vicuna v0 was published as what to add to LLaMA: the right names and shapes, and nonsense without LLaMA."""
    if source.read(NORM).abs().mean(dtype=torch.float32) < SMALLEST_NORM:
        raise ValueError(
            f"{NORM} in {source.files[NORM]} is all but zero: these are differences from LLaMA, as Vicuna v0 was "
            "published. Add them to LLaMA first."
        )
    source.close()


def _plan_with_row(plan: Plan, source: Source, key: str, name: str, rows: int) -> None:
    row, meta = plan.image_token_id, source.meta[key]
    # One row more, or (where the matrix has more rows than the tokenizer has tokens) one of those that mean nothing.
    if row == rows:
        meta = torch.empty(meta.shape[0] + 1, *meta.shape[1:], dtype=meta.dtype, device="meta")
    origin = f"{key} of shape {tuple(source.meta[key].shape)} in {source.files[key]}, with a row for the image token,"
    plan.add(name, meta, lambda: with_mean_row(source.read(key), row), origin)


def with_mean_row(matrix: torch.Tensor, row: int) -> torch.Tensor:
    """
    `matrix` of shape `(rows, width)` with the mean of its rows at `row`, as one row more where `row` is `rows`.

    In the embeddings, no other token has this row. In the head, its logit is the mean of the others', so that its share of
    the softmax is at most `1 / rows` whatever the hidden state (Jensen's inequality), and far less where the model is
    sure of anything: for losses that read the head's weights themselves, as TRL's does.
    """
    mean = matrix.mean(dim=0, dtype=torch.float32).to(matrix.dtype)
    return torch.cat((matrix[:row], mean[None], matrix[row + 1 :]))


def _as_transformers_loads_it(source: Source) -> tuple[Source, str]:
    """A source whose files have other names, as those of many mixtures of experts; and what its layers' names begin with."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(read_text_config(source.path), trust_remote_code=False)
    return RenamedSource(source, model), f"{model.base_model_prefix}."


def _refuse_untied_head(source: Source, embedding: str) -> None:
    if embedding in source.meta and not torch.equal(source.read(HEAD), source.read(embedding)):
        raise ValueError(
            f"{source.files[HEAD]} holds {HEAD}, which differs from {embedding}, but its config.json ties them: "
            'set "tie_word_embeddings": false there if the head is meant.'
        )
    source.close()
