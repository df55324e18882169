"""What was not trained: the towers and the language model, around which a result is planned."""

from collections.abc import Mapping
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from minigpt4.checkpoints.families import get_family

from .configuration import make_config, read_overrides, read_text_config
from .language_model import EMBEDDING, plan_language_model
from .names import BLIP2_FOLDER_PARTS
from .plan import Plan
from .qformer import plan_identity, plan_qformer
from .sources import local_folder, open_source
from .tokenizer import load_tokenizer
from .vision import plan_vision


def plan_parts(
    family: str,
    *,
    vision: str | Path,
    language_model: str | Path,
    qformer: str | Path | None = None,
    config: str | Path | Mapping | None = None,
) -> tuple[Plan, PreTrainedTokenizerBase]:
    """
    Plans everything but the projection.

    Args:
        As [`convert`].

    Returns:
        `Plan` and the tokenizer, which knows the image token.

    Raises:
        As [`convert`].
    """
    record, overrides = get_family(family), read_overrides(config)
    folder = local_folder(language_model)
    text_config = read_text_config(folder)
    tokenizer = load_tokenizer(folder, text_config)
    plan = Plan(make_config(record, text_config, tokenizer, overrides))
    if qformer is None and plan.config.qformer_config is not None:
        raise ValueError("This model has a Q-Former: give the BLIP-2 file as --qformer.")
    plan_vision(plan, open_source(vision, BLIP2_FOLDER_PARTS))
    if qformer is None:
        plan_identity(plan)
    else:
        plan_qformer(plan, open_source(qformer, BLIP2_FOLDER_PARTS))
    plan_language_model(plan, open_source(folder))
    # Tensors keep their own dtypes; the language model's is what the whole model runs in.
    plan.config.dtype = plan.tensors[EMBEDDING].meta.dtype
    return plan, tokenizer
