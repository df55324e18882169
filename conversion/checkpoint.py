"""The MiniGPT-4 checkpoint: what was trained."""

from minigpt4.checkpoints.families import FAMILIES

from .names import CHECKPOINT, UNUSED_QFORMER, rename
from .plan import Plan
from .published_lora import KEY, Lora, find_lora
from .qformer import published_parts
from .sources import Source


PROJECTION = "model.multi_modal_projector."


def plan_checkpoint(plan: Plan, source: Source, *, lora_alpha: int | None) -> Lora | None:
    """
    Plans the projection, and what was fine-tuned of `ln_vision`, the queries and the Q-Former, which takes the place of
    the BLIP-2 file's.

    Args:
        plan (`Plan`): of the whole model.
        source (`Source`): the checkpoint.
        lora_alpha (`int`, *optional*): alpha of the LoRA where the checkpoint states none; `None` if there must be none.

    Returns:
        `Lora` or `None`: what was found, not yet merged.

    Raises:
        ValueError: also where there is a LoRA and there must be none, or the other way round.
    """
    projection = {rename(name, CHECKPOINT): name for name in plan.select(PROJECTION)}
    tuned = {
        key: name
        for name in plan.select(*published_parts(plan.config))
        if (key := rename(name, CHECKPOINT)) in source.meta
    }
    lora_key = next((key for key in source.meta if KEY.match(key)), None)
    with_lora = " or ".join(name for name, family in FAMILIES.items() if family.lora_alpha is not None)
    if lora_alpha is None and lora_key is not None:
        raise ValueError(
            f"{source.files[lora_key]} holds a LoRA ({lora_key}), and this family has none: the file is for {with_lora}."
        )
    if lora_alpha is not None and lora_key is None:
        raise ValueError(f"{source.path} holds no LoRA, which belongs to {with_lora}: the file is of another family.")
    lora = find_lora(source, plan, default_alpha=lora_alpha) if lora_alpha is not None else None
    unused = UNUSED_QFORMER if plan.config.qformer_config is not None else []
    adapted = {key: name for name, keys in lora.pairs.items() for key in keys} if lora else {}
    plan.claim(source, {**projection, **tuned, **adapted}, unused, "MiniGPT-4 checkpoint")
    plan.copy(source, projection)
    plan.copy(source, tuned, replace=True)
    return lora
