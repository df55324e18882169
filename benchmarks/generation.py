"""Greedy generation in a batch of four, compared with BLIP-2's `generate` with the same weights."""

from io import BytesIO

import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from . import models
from .case import Case, Figures
from .measuring import interleave
from .roofline import Work, least_seconds


ROWS, NEW_TOKENS = 4, 64


def inputs(pictures: int) -> dict:
    """Four questions of 6 to 32 tokens, padded, about the given number of different pictures."""
    rows = models.rows(ROWS, 6, 32)
    return inputs_of([{**row, "image": rows[index % pictures]["image"]} for index, row in enumerate(rows)])


def inputs_of(rows: list[dict]) -> dict:
    """The text of each row as a question about its picture."""
    shown = [Image.open(BytesIO(row["image"])) for row in rows]
    texts = [f"###Human: <Img><ImageHere></Img> {row['text']}###Assistant: " for row in rows]
    return models.processor()(
        images=[[picture] for picture in shown], text=texts, padding=True, padding_side="left", return_tensors="pt"
    )


def decode_bytes(model) -> int:
    """The weights that one step reads: the layers and the head."""
    modules = (model.model.language_model.layers, model.lm_head)
    return sum(p.numel() * p.element_size() for module in modules for p in module.parameters())


def operations(model, given: dict) -> int:
    with FlopCounterMode(display=False) as counter:
        model.generate(**given)
    return counter.get_total_flops()


def batch(pictures: int) -> Figures:
    ours, peer = (model.requires_grad_(False) for model in (models.ours(), models.peer()))
    for model in (ours, peer, peer.language_model):
        model.generation_config.eos_token_id = None  # every row generates the same number of tokens
    given = {**inputs(pictures), "max_new_tokens": NEW_TOKENS, "do_sample": False}
    same = torch.equal(ours.generate(**given)[:, -NEW_TOKENS:], peer.generate(**given)[:, -NEW_TOKENS:])
    seconds = interleave(lambda: ours.generate(**given), lambda: peer.generate(**given))
    tokens = ROWS * NEW_TOKENS
    prompt, whole = (operations(ours, {**given, "max_new_tokens": new}) for new in (1, NEW_TOKENS))
    steps = NEW_TOKENS - 1
    step = Work((whole - prompt) / steps, decode_bytes(ours))
    return Figures(
        *(tokens / taken for taken in seconds),
        limit=tokens / least_seconds(Work(prompt), *[step] * steps),
        notes={
            "same_tokens": same,
            "weights_read_gb_per_s": round(decode_bytes(ours) * NEW_TOKENS / seconds[0] / 1e9, 2),
        },
    )


CASES = [
    Case("generation, batch 4, four pictures", "tokens/s", 1.2, lambda: batch(4)),
    Case("generation, batch 4, one picture", "tokens/s", 1.2, lambda: batch(1)),
]
