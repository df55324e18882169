"""`ln_vision`, the queries and the Q-Former, from BLIP-2's file or from a BLIP-2 folder of the Hub."""

from functools import partial

import torch
from transformers import Blip2QFormerModel, Blip2VisionConfig

from minigpt4.modeling_minigpt4 import MiniGPT4Config

from .names import (
    BLIP2,
    BLIP2_FOLDER,
    LN_VISION,
    NOT_QFORMER_FOLDER,
    UNUSED_BLIP2,
    UNUSED_BLIP2_FOLDER,
    UNUSED_WITHOUT_EVA,
    UNUSED_WITHOUT_QFORMER,
    rename,
)
from .plan import Plan
from .sources import Source
from .vision import is_blip2_folder


QFORMER = ("model.qformer.", "model.query_tokens")


def published_parts(config: MiniGPT4Config) -> tuple[str, ...]:
    """The front of the names of what BLIP-2's file gives: `ln_vision` only where the tower is BLIP-2's."""
    return (LN_VISION, *QFORMER) if isinstance(config.vision_config, Blip2VisionConfig) else QFORMER


def plan_qformer(plan: Plan, source: Source) -> None:
    """Plans `ln_vision`, and the queries and the Q-Former where the model has them."""
    is_folder = is_blip2_folder(source)
    unused = UNUSED_BLIP2 if plan.config.qformer_config is not None else UNUSED_WITHOUT_QFORMER
    parts = published_parts(plan.config)
    if LN_VISION not in parts:
        unused = {**unused, **UNUSED_WITHOUT_EVA}
    if is_folder:
        unused = {**unused, **UNUSED_BLIP2_FOLDER, **NOT_QFORMER_FOLDER}
    keys = {rename(name, BLIP2_FOLDER if is_folder else BLIP2): name for name in plan.select(*parts)}
    plan.claim(source, keys, unused, "BLIP-2 file")
    plan.copy(source, keys)


def plan_new_qformer(plan: Plan, seed: int) -> None:
    """Plans a Q-Former and queries that have learned nothing, initialised as transformers does, in float32."""
    config = plan.config.qformer_config
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = {f"model.qformer.{name}": tensor for name, tensor in Blip2QFormerModel(config).state_dict().items()}
        queries = torch.empty(plan.wanted["model.query_tokens"])
        made["model.query_tokens"] = queries.normal_(std=config.initializer_range)  # type: ignore[union-attr]
    for name in plan.select(*QFORMER):
        plan.add(name, torch.empty_like(made[name], device="meta"), partial(torch.clone, made[name]), f"seed {seed}")
