"""The vision tower: EVA's, from its file or from a BLIP-2 folder of the Hub, or any other from its own folder."""

from pathlib import Path

import torch
from transformers import Blip2VisionConfig

from minigpt4.checkpoints.positions import resize_positions

from .names import (
    BLIP2_FOLDER,
    BLIP2_FOLDER_PARTS,
    EVA,
    LN_VISION,
    NOT_VISION_FOLDER,
    UNUSED_BLIP2_FOLDER,
    UNUSED_EVA,
    rename,
)
from .plan import WRONG_SIZE, Plan
from .sources import Source, open_source
from .tower import plan_identity, plan_tower


POSITIONS = "model.vision_tower.embeddings.position_embedding"


def plan_towers(plan: Plan, vision: str | Path, *, identity: bool) -> None:
    """
    Plans the vision tower that the configuration has.

    Args:
        plan (`Plan`): of the whole model.
        vision (`str` or `Path`): file, folder or Hub id.
        identity (`bool`): whether no BLIP-2 file gives `ln_vision`, which EVA's tower ends in.
    """
    source = open_source(vision, BLIP2_FOLDER_PARTS)
    if not isinstance(plan.config.vision_config, Blip2VisionConfig):
        plan_tower(plan, source)
        return
    plan_vision(plan, source)
    if identity:
        plan_identity(plan, LN_VISION)  # as the original, where it reads no BLIP-2 file


def plan_vision(plan: Plan, source: Source) -> None:
    """Plans the vision tower without the LayerNorm at its end, which was published with the Q-Former."""
    names = [name for name in plan.select("model.vision_tower.") if ".post_layernorm." not in name]
    if is_blip2_folder(source):
        table, unused = BLIP2_FOLDER, {**UNUSED_BLIP2_FOLDER, **NOT_VISION_FOLDER}
    else:
        last = str(plan.config.vision_config.num_hidden_layers)  # type: ignore[union-attr]
        table, unused = EVA, {pattern.replace("{num_layers}", last): why for pattern, why in UNUSED_EVA.items()}
    keys = {rename(name, table): name for name in names}
    positions = rename(POSITIONS, table)
    joined = [] if table is BLIP2_FOLDER else [key for key in keys if key.endswith(".qkv.bias")]
    biases = {keys.pop(key): _bias_parts(key) for key in joined}
    plan.claim(source, keys | {part: name for name, parts in biases.items() for part in parts}, unused, "vision tower")

    plan.copy(source, {key: name for key, name in keys.items() if key != positions})
    _plan_positions(plan, source, positions)
    for name, parts in biases.items():
        _plan_bias(plan, source, parts, name)


def is_blip2_folder(source: Source) -> bool:
    """Whether a source has the names of transformers' BLIP-2."""
    return any(key.startswith("vision_model.") for key in source.meta)


def _bias_parts(key: str) -> list[str]:
    return [key.replace("qkv.bias", part) for part in ("q_bias", "v_bias")]


def _plan_bias(plan: Plan, source: Source, parts: list[str], name: str) -> None:
    # EVA has biases for queries and values; that of the keys is zero.
    third = (plan.wanted[name][0] // 3,)
    for part in parts:
        if source.meta[part].shape != third:
            raise ValueError(
                f"{part} in {source.files[part]} has shape {tuple(source.meta[part].shape)}, but the model needs {third} "
                f"for {name}: {WRONG_SIZE}."
            )

    def join(q_bias: torch.Tensor, v_bias: torch.Tensor) -> torch.Tensor:
        return torch.cat((q_bias, torch.zeros_like(q_bias), v_bias))

    plan.add(
        name,
        join(*(source.meta[part] for part in parts)),
        lambda: join(*(source.read(part) for part in parts)),
        f"{parts[0]} and {parts[1]} in {source.files[parts[0]]}",
    )


def _plan_positions(plan: Plan, source: Source, key: str) -> None:
    meta, wanted = source.meta[key], plan.wanted[POSITIONS]
    origin = f"{key} in {source.files[key]}"
    if meta.shape == wanted:
        plan.add(POSITIONS, meta, lambda: source.read(key), origin)
        return
    side = int((wanted[1] - 1) ** 0.5)
    if (
        meta.dim() != 3
        or meta.shape[0] != 1
        or meta.shape[1] < 2
        or int((meta.shape[1] - 1) ** 0.5) ** 2 != meta.shape[1] - 1
    ):
        raise ValueError(f"{origin} has shape {tuple(meta.shape)}, but (1, 1 + a square, width) is needed.")
    plan.add(
        POSITIONS,
        torch.empty(1, wanted[1], meta.shape[2], device="meta"),
        lambda: resize_positions(source.read(key), side),
        f"{origin}, resized",
    )
