"""An untrained MiniGPT-4: towers and a language model around a new projection, where stage 1 starts."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from torch import nn

from minigpt4.checkpoints.writing import unfinished_folder

from .checkpoint import PROJECTION
from .folder import MAX_SHARD_SIZE, write_rest, write_weights
from .parts import plan_parts
from .plan import Plan


def assemble(
    family: str,
    *,
    vision: str | Path,
    language_model: str | Path,
    output: str | Path,
    qformer: str | Path | None = None,
    config: str | Path | Mapping | None = None,
    seed: int = 0,
    max_shard_size: str | int = MAX_SHARD_SIZE,
    quiet: bool = False,
) -> Path:
    """
    Builds an untrained MiniGPT-4, as stage 1 needs it.

    The language model is any causal one with `embed_tokens` and a plain `lm_head`, whose weights are stored under the
    names that it has in transformers. The family gives the image size, the Q-Former and the form of a chat.

    Args:
        family (`str`): `"vicuna"` (with a Q-Former), `"llama2"` or `"v2"`.
        vision, qformer, language_model, output, config, max_shard_size, quiet: as for [`convert`].
        seed (`int`, defaults to 0): decides the projection, which is initialised as PyTorch does a Linear, in float32.

    Returns:
        `Path`: of the folder.

    Raises:
        FileExistsError, FileNotFoundError, ValueError: as [`convert`].
    """
    with unfinished_folder(output) as folder:
        plan, tokenizer = plan_parts(
            family, vision=vision, qformer=qformer, language_model=language_model, config=config
        )
        _plan_new_projection(plan, seed)
        write_weights(plan, folder, max_shard_size=max_shard_size, quiet=quiet)
        made = {"vision tower": vision, "BLIP-2": qformer, "language model": language_model}
        names = {part: Path(name).name for part, name in made.items() if name}
        names["projection"] = f"untrained, seed {seed}"
        how = "put together with `minigpt4 assemble`, with a projection that has learned nothing yet"
        write_rest(folder, family, plan.config, tokenizer, how, names)
    return Path(output)


def _plan_new_projection(plan: Plan, seed: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for weight in [name for name in plan.select(PROJECTION) if name.endswith("weight")]:
            outputs, inputs = plan.wanted[weight]
            layer = nn.Linear(inputs, outputs)
            for name, tensor in ((weight, layer.weight.data), (weight.replace("weight", "bias"), layer.bias.data)):
                plan.add(name, torch.empty_like(tensor, device="meta"), partial(torch.clone, tensor), f"seed {seed}")
