"""`ln_vision`, the queries and the Q-Former, from BLIP-2's file or from a BLIP-2 folder of the Hub."""

from functools import partial

import torch

from .names import (
    BLIP2,
    BLIP2_FOLDER,
    NOT_QFORMER_FOLDER,
    UNUSED_BLIP2,
    UNUSED_BLIP2_FOLDER,
    UNUSED_WITHOUT_QFORMER,
    rename,
)
from .plan import Plan
from .sources import Source
from .vision import is_blip2_folder


LN_VISION = "model.vision_tower.post_layernorm."
PARTS = (LN_VISION, "model.qformer.", "model.query_tokens")


def plan_qformer(plan: Plan, source: Source) -> None:
    """Plans `ln_vision`, and the queries and the Q-Former where the model has them."""
    is_folder = is_blip2_folder(source)
    unused = UNUSED_BLIP2 if plan.config.qformer_config is not None else UNUSED_WITHOUT_QFORMER
    if is_folder:
        unused = {**unused, **UNUSED_BLIP2_FOLDER, **NOT_QFORMER_FOLDER}
    keys = {rename(name, BLIP2_FOLDER if is_folder else BLIP2): name for name in plan.select(*PARTS)}
    plan.claim(source, keys, unused, "BLIP-2 file")
    plan.copy(source, keys)


def plan_identity(plan: Plan) -> None:
    """Plans `ln_vision` as the original has it where it reads no BLIP-2 file: weight 1 and bias 0."""
    for name in plan.select(LN_VISION):
        make = torch.ones if name.endswith("weight") else torch.zeros
        shape = plan.wanted[name]
        plan.add(name, torch.empty(shape, device="meta"), partial(make, shape), "the identity")
