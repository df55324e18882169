"""The language model, with a row for the image placeholder."""

import torch

from .names import LANGUAGE_MODEL, UNUSED_LANGUAGE_MODEL, rename
from .plan import Plan
from .sources import Source


EMBEDDING = "model.language_model.embed_tokens.weight"
HEAD = "lm_head.weight"


def plan_language_model(plan: Plan, source: Source) -> None:
    """
    Plans the language model.

    Raises:
        ValueError: also where the head is tied to the embeddings by its configuration, but other weights are stored.
    """
    keys = {rename(name, LANGUAGE_MODEL): name for name in plan.select("model.language_model.", HEAD)}
    unused = [*UNUSED_LANGUAGE_MODEL]
    if HEAD not in plan.wanted and HEAD in source.meta:
        _refuse_untied_head(source)
        unused.append(rf"{HEAD}$")
    plan.claim(source, keys.keys(), unused, "language model")
    grown = {key: name for key, name in keys.items() if name in (EMBEDDING, HEAD)}
    plan.copy(source, {key: name for key, name in keys.items() if key not in grown})
    for key, name in grown.items():
        _plan_with_row(plan, source, key, name)


def _plan_with_row(plan: Plan, source: Source, key: str, name: str) -> None:
    row, rows = plan.image_token_id, plan.wanted[name][0]
    meta = source.meta[key]
    # One row more, or (where the matrix has more rows than the tokenizer has tokens) one of those that mean nothing.
    if row == rows - 1 and meta.shape[0] != rows:
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


def _refuse_untied_head(source: Source) -> None:
    embedding = rename(EMBEDDING, LANGUAGE_MODEL)
    if embedding in source.meta and not torch.equal(source.read(HEAD), source.read(embedding)):
        raise ValueError(
            f"{source.files[HEAD]} holds {HEAD}, which differs from {embedding}, but its config.json ties them: "
            'set "tie_word_embeddings": false there if the head is meant.'
        )
    source.close()
