"""An untrained MiniGPT-4: towers and a language model around a new projection, where stage 1 starts."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from torch import nn

from minigpt4.checkpoints.families import OWN_CHAT, get_family
from minigpt4.checkpoints.writing import unfinished_folder

from .checkpoint import PROJECTION
from .configuration import read_generation
from .folder import MAX_SHARD_SIZE, write_rest, write_weights
from .parts import plan_parts
from .plan import Plan
from .sources import local_folder


def assemble(
    family: str | None = None,
    *,
    vision: str | Path,
    language_model: str | Path,
    output: str | Path,
    qformer: str | Path | None = None,
    config: str | Path | Mapping | None = None,
    chat: str | None = None,
    seed: int = 0,
    max_shard_size: str | int = MAX_SHARD_SIZE,
    quiet: bool = False,
) -> Path:
    """
    Builds an untrained MiniGPT-4, as stage 1 needs it.

    The language model is any causal one with `embed_tokens` and a plain `lm_head`. A family gives the image size, the
    Q-Former and the form of a chat. Without one, the vision tower is any that gives a token for each patch, pictures are
    scaled as its own image processor does, and chats have the language model's own form.

    Args:
        family (`str`, *optional*): `"vicuna"` (with a Q-Former), `"llama2"` or `"v2"`, with EVA as their vision tower.
        vision (`str` or `Path`): as for [`convert`]; without a family a folder or Hub id of any vision tower, or of a model
            that has one, such as `google/siglip2-base-patch16-224`.
        qformer, language_model, output, config, max_shard_size, quiet: as for [`convert`]. Without a family, a
            `qformer_config` in `config` makes a Q-Former that has learned nothing.
        chat (`str`, *optional*): `"own"`, the language model's own chat form, or that of a family. Default: the family's,
            and `"own"` without one.
        seed (`int`, defaults to 0): decides the projection, which is initialised as PyTorch does a Linear, in float32.

    Returns:
        `Path`: of the folder.

    Raises:
        FileExistsError, FileNotFoundError, ValueError: as [`convert`].
    """
    if chat not in (None, OWN_CHAT):
        get_family(chat)
    with unfinished_folder(output) as folder:
        chat = chat or family or OWN_CHAT
        parts = plan_parts(
            family, vision=vision, qformer=qformer, language_model=language_model, config=config, chat=chat, seed=seed
        )
        plan = parts.plan
        _plan_new_projection(plan, seed)
        write_weights(plan, folder, max_shard_size=max_shard_size, quiet=quiet)
        made = {"vision tower": vision, "BLIP-2": qformer, "language model": language_model}
        names = {part: Path(name).name for part, name in made.items() if name}
        names["projection"] = f"untrained, seed {seed}"
        how = "put together with `minigpt4 assemble`, with a projection that has learned nothing yet"
        generation = None if family else read_generation(local_folder(language_model))
        form, images = parts.chat or chat, parts.images
        write_rest(
            folder, family, plan.config, parts.tokenizer, how, names, images=images, chat=form, generation=generation
        )
    return Path(output)


def _plan_new_projection(plan: Plan, seed: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for weight in [name for name in plan.select(PROJECTION) if name.endswith("weight")]:
            outputs, inputs = plan.wanted[weight]
            layer = nn.Linear(inputs, outputs)
            for name, tensor in ((weight, layer.weight.data), (weight.replace("weight", "bias"), layer.bias.data)):
                plan.add(name, torch.empty_like(tensor, device="meta"), partial(torch.clone, tensor), f"seed {seed}")
