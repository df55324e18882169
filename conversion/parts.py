"""What was not trained: the towers and the language model, around which a result is planned."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transformers import Blip2VisionConfig, PreTrainedTokenizerBase

from minigpt4.checkpoints.families import OTHER, OWN_CHAT, get_family
from minigpt4.processing.own_chat import OwnChat, own_chat

from .configuration import make_config, read_overrides, read_text_config
from .language_model import EMBEDDING, plan_language_model
from .names import BLIP2_FOLDER_PARTS
from .plan import Plan
from .qformer import plan_new_qformer, plan_qformer
from .sources import local_folder, open_source
from .tokenizer import load_tokenizer
from .tower import read_image_settings, read_vision_config
from .vision import plan_towers


@dataclass(frozen=True)
class Parts:
    """
    Args:
        plan (`Plan`): of everything but the projection.
        tokenizer (`PreTrainedTokenizerBase`): knows the image token.
        images (`dict`): what the image processor does otherwise than the published one.
        chat (`OwnChat`, *optional*): the language model's own chat form, where that was asked for.
    """

    plan: Plan
    tokenizer: PreTrainedTokenizerBase
    images: dict
    chat: OwnChat | None


def plan_parts(
    family: str | None,
    *,
    vision: str | Path,
    language_model: str | Path,
    qformer: str | Path | None = None,
    config: str | Path | Mapping | None = None,
    chat: str | None = None,
    seed: int = 0,
) -> Parts:
    """
    Plans everything but the projection.

    Args:
        family (`str`, *optional*): a published one; `None`: any vision tower, with its own pictures.
        vision, language_model, qformer, config: as [`convert`].
        chat (`str`, *optional*): `"own"` for the language model's own chat form.
        seed (`int`, defaults to 0): decides a Q-Former that no file gives, in a model of no published family.

    Raises:
        As [`convert`].
    """
    record, overrides = get_family(family) if family else OTHER, read_overrides(config)
    folder = local_folder(language_model)
    text_config = read_text_config(folder)
    tokenizer = load_tokenizer(folder, text_config, own=chat == OWN_CHAT)
    own = own_chat(tokenizer) if chat == OWN_CHAT else None
    images, fields = ({}, None) if family else _read_tower(vision, with_qformer=qformer is not None)
    plan = Plan(make_config(record, text_config, tokenizer, overrides, vision=fields, end=own.end if own else None))
    has_qformer = plan.config.qformer_config is not None
    if qformer is None and has_qformer and family:
        raise ValueError("This model has a Q-Former: give the BLIP-2 file as --qformer.")
    if family:
        _refuse_another_tower(family, vision)
    plan_towers(plan, vision, identity=qformer is None)
    if qformer is not None:
        plan_qformer(plan, open_source(qformer, BLIP2_FOLDER_PARTS))
    elif has_qformer:
        plan_new_qformer(plan, seed)
    plan_language_model(plan, open_source(folder))
    # Tensors keep their own dtypes; the language model's is what the whole model runs in.
    plan.config.dtype = plan.tensors[EMBEDDING].meta.dtype
    return Parts(plan, tokenizer, images, own)


def _read_tower(vision: str | Path, *, with_qformer: bool) -> tuple[dict, dict]:
    """What the image processor of a tower does, and what a configuration says of it."""
    qformer: dict = {"qformer_config": {} if with_qformer else None}
    if Path(vision).is_file():  # EVA's, which has neither configuration nor image processor
        return {}, {"vision_config": {}, **qformer}
    folder = local_folder(vision, prefixes=BLIP2_FOLDER_PARTS)
    config, images = read_vision_config(folder), read_image_settings(folder)
    size = images.pop("size")
    picture = {} if size == getattr(config, "image_size", size) else {"picture_size": size}
    return images, {"vision_config": {**config.to_dict(), "_name_or_path": ""}, **picture, **qformer}


def _refuse_another_tower(family: str, vision: str | Path) -> None:
    if not (Path(vision) / "config.json").is_file():
        return
    config = read_vision_config(Path(vision))
    if not isinstance(config, Blip2VisionConfig):
        raise ValueError(
            f"{vision} holds a {config.model_type!r}, but {family} was published with EVA's: leave {family} out to put "
            "together a model of your own."
        )
