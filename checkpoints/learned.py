"""Checkpoints of the trained weights only: PEFT adapters, with a note of the frozen base they belong to.

An adapter whose `modules_to_save` are the trained modules is loaded by PEFT and `from_pretrained` without special handling,
although there is no LoRA in it.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from peft import LoraConfig
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import ADAPTER_SAFE_WEIGHTS_NAME

from minigpt4.modeling_minigpt4.adapters_minigpt4 import Base, note_base

from .fit import misfit
from .identity import NO_LORA


PREFIX = "base_model.model."  # PEFT's name of the model inside it


def learned_modules(model: nn.Module) -> list[str] | None:
    """
    Names of the largest modules whose parameters are all trainable; `None` if these do not cover everything trainable
    (such as a lone parameter beside frozen modules), or if the whole model is trainable.
    """
    if all(parameter.requires_grad for parameter in model.parameters()):
        return None
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    found: list[str] = []
    for name, module in model.named_modules():  # parents before their children
        own = {f"{name}.{key}" for key, _ in module.named_parameters()}
        if name and own and own <= learning and not name.startswith(tuple(f"{parent}." for parent in found)):
            found.append(name)
    covered = {name for name in learning if name.startswith(tuple(f"{parent}." for parent in found))}
    return found if found and covered == learning else None


def save_learned(
    folder: Path,
    model: PreTrainedModel,
    modules: list[str],
    base: Base,
    state: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """
    Write the trained weights as a PEFT adapter.

    Args:
        folder (`Path`): an existing folder.
        model (`PreTrainedModel`): its trainable parameters have `requires_grad`.
        modules (`list[str]`): from [`learned_modules`].
        base (`Base`): the model that the frozen weights come from.
        state (`dict`, *optional*): weights to write, if the model's own are sharded over processes.
    """
    state = state if state is not None else dict(model.named_parameters())
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    tensors = {PREFIX + name: state[name].detach().cpu().contiguous() for name in names}
    save_file(tensors, folder / ADAPTER_SAFE_WEIGHTS_NAME, metadata={"format": "pt"})
    LoraConfig(
        target_modules=NO_LORA,
        modules_to_save=modules,
        base_model_name_or_path=base.name,
        revision=base.revision,
        inference_mode=True,
    ).save_pretrained(str(folder))
    # No config.json: beside one, `from_pretrained` looks for the whole model here, not where the adapter says.
    note_base(folder, base)


@torch.no_grad()
def load_learned(folder: str | Path, model: PreTrainedModel) -> None:
    """
    Load the weights written by [`save_learned`] into the model they belong to.

    Raises:
        ValueError: the keys or shapes differ from those of the trainable parameters.
    """
    learning = {PREFIX + name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    with safe_open(Path(folder) / ADAPTER_SAFE_WEIGHTS_NAME, "pt") as file:
        stored = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - no mapping
        other = [key for key, parameter in learning.items() if stored.get(key, parameter.shape) != parameter.shape]
        if found := misfit(learning.keys() - stored.keys(), stored.keys() - learning.keys(), other):
            raise ValueError(f"{folder} is of a run with another mask: {found.replace(PREFIX, '')}.")
        for key, parameter in learning.items():
            parameter.copy_(file.get_tensor(key))
