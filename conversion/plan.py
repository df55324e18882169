"""Which tensor of the result comes from where: strictly one source for each, before anything is written."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import torch

from minigpt4.modeling_minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration

from .names import is_unused
from .sources import Source


DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
WRONG_SIZE = "the file is of another size; --config states sizes that are not the family's"


@dataclass(frozen=True)
class Planned:
    """
    One tensor of the result.

    Args:
        meta (`torch.Tensor`): its shape and dtype, on the meta device.
        make (`Callable[[], torch.Tensor]`): reads it, or computes it.
        origin (`str`): what it comes from, for messages.
    """

    meta: torch.Tensor
    make: Callable[[], torch.Tensor]
    origin: str


class Plan:
    """
    The tensors of a result, each with its one origin.

    Args:
        config (`MiniGPT4Config`): of the result; it says which tensors there are, and in which shapes.
    """

    def __init__(self, config: MiniGPT4Config):
        self.config = config
        self.image_token_id = int(config.image_token_id)  # type: ignore[arg-type]
        self.wanted = expected_shapes(config)
        self.tensors: dict[str, Planned] = {}
        self.sources: list[Source] = []

    def select(self, *prefixes: str) -> list[str]:
        """The names of ours that begin so."""
        return [name for name in self.wanted if name.startswith(prefixes)]

    def add(
        self,
        name: str,
        meta: torch.Tensor,
        make: Callable[[], torch.Tensor],
        origin: str,
        *,
        replace: bool = False,
    ) -> None:
        """
        Plans one tensor.

        Raises:
            ValueError: where it has another shape than the configuration says, is not a floating-point tensor, or has
                another origin already (`replace` takes its place).
        """
        if meta.shape != self.wanted[name]:
            raise ValueError(
                f"{origin} has shape {tuple(meta.shape)}, but the model needs {tuple(self.wanted[name])} for {name}: "
                f"{_advice(name)}."
            )
        refuse_quantized(meta, origin)
        if name in self.tensors and not replace:
            raise ValueError(
                f"{name} would come from {self.tensors[name].origin} and from {origin}: give one of them."
            )
        self.tensors[name] = Planned(meta, make, origin)

    def claim(self, source: Source, keys: Mapping[str, str], unused: Iterable[str], role: str) -> None:
        """
        Checks that a source is what it was given as.

        Args:
            source (`Source`): where the tensors are.
            keys (`Mapping[str, str]`): what the model takes from it -> the name of ours that it goes into.
            unused (iterable of `str`): patterns of keys that are left out on purpose.
            role (`str`): what the source was given as, for messages.

        Raises:
            ValueError: where a key is missing, or there are others.
        """
        if lost := [key for key in keys if key not in source.meta]:
            raise ValueError(
                f"{source.path} lacks {lost[0]} ({len(lost)} of {len(keys)} tensors), from which {keys[lost[0]]} of shape "
                f"{tuple(self.wanted[keys[lost[0]]])} is made: is it really the {role}, and of this family and size?"
            )
        if extra := [key for key in source.meta if key not in keys and not is_unused(key, unused)]:
            raise ValueError(
                f"{source.files[extra[0]]} holds {extra[0]} of shape {tuple(source.meta[extra[0]].shape)} ({len(extra)} "
                f"such tensors), which has no place in the model: is it really the {role}, and of this family and size?"
            )
        self.sources.append(source)

    def copy(self, source: Source, keys: dict[str, str], *, replace: bool = False) -> None:
        """Plans tensors of a source as they are; `keys` maps those of the source to names of ours."""
        for key, name in keys.items():
            origin = f"{key} in {source.files[key]}"
            self.add(name, source.meta[key], partial(source.read, key), origin, replace=replace)

    def ordered(self) -> dict[str, Planned]:
        """
        The whole plan, in the order of the model.

        Raises:
            ValueError: where a tensor has no origin.
        """
        if lost := [name for name in self.wanted if name not in self.tensors]:
            raise ValueError(f"Nothing gives {lost[0]} ({len(lost)} such tensors): is a source missing?")
        return {name: self.tensors[name] for name in self.wanted}

    def close_sources(self) -> None:
        """Gives back the memory of what was read."""
        for source in self.sources:
            source.close()


def refuse_quantized(meta: torch.Tensor, origin: str) -> None:
    """
    Raises:
        ValueError: where a tensor is quantized.
    """
    if meta.dtype not in DTYPES:
        raise ValueError(f"{origin} is {meta.dtype}: give the weights before they were quantized.")


def expected_shapes(config: MiniGPT4Config) -> dict[str, torch.Size]:
    """The names and shapes of the tensors that a saved model of this configuration holds; a tied head is not saved."""
    with torch.device("meta"):
        model = MiniGPT4ForConditionalGeneration(config)
    tied = model.all_tied_weights_keys if config.tie_word_embeddings else {}
    return {name: tensor.shape for name, tensor in model.state_dict().items() if name not in tied}


def _advice(name: str) -> str:
    if name.startswith("model.multi_modal_projector."):
        return "it was trained in another family, or for a language model of another size"
    return WRONG_SIZE
