"""The LoRA of a MiniGPT-v2 checkpoint: merged into the language model, or kept as an adapter of PEFT."""

import re
from dataclasses import dataclass

import torch

from .plan import Plan, refuse_quantized
from .sources import Source


# Old PEFT writes lora_A.weight, newer PEFT lora_A.default.weight.
KEY = re.compile(r"llama_model\.base_model\.model\.model\.(.+)\.lora_([AB])(\.default)?\.weight$")
DROPOUT = 0.05  # as published


@dataclass(frozen=True)
class Lora:
    """
    A LoRA (https://huggingface.co/papers/2106.09685).

    Args:
        source (`Source`): the checkpoint.
        rank (`int`): rows of each A, columns of each B.
        alpha (`int`): what B A adds is scaled by `alpha / rank`.
        pairs (`dict[str, tuple[str, str]]`): name of the weight, ours -> keys of its A and B.
    """

    source: Source
    rank: int
    alpha: int
    pairs: dict[str, tuple[str, str]]

    @property
    def modules(self) -> list[str]:
        """The last names of the modules that are adapted, such as `q_proj`."""
        return sorted({name.split(".")[-2] for name in self.pairs})

    def merge(self, plan: Plan) -> None:
        """Puts the merged weights in the place of the language model's, in their dtype; the sum is made in float32."""
        for name, (a_key, b_key) in self.pairs.items():
            base = plan.tensors[name]

            def make(base=base, a_key=a_key, b_key=b_key) -> torch.Tensor:
                weight = base.make()
                delta = self.source.read(b_key).float() @ self.source.read(a_key).float()
                return (weight.float() + delta * (self.alpha / self.rank)).to(weight.dtype)

            plan.add(name, base.meta, make, f"{base.origin} and LoRA in {self.source.path}", replace=True)

    def adapter(self) -> dict[str, torch.Tensor]:
        """The tensors under the names of PEFT."""
        tensors = {}
        for name, keys in self.pairs.items():
            for part, key in zip("AB", keys, strict=True):
                name_of_part = f"base_model.model.{name.removesuffix('weight')}lora_{part}.weight"
                tensors[name_of_part] = self.source.read(key).clone(memory_format=torch.contiguous_format)
        return tensors


def find_lora(source: Source, plan: Plan, *, default_alpha: int) -> Lora | None:
    """
    The LoRA in a checkpoint.

    Args:
        source (`Source`): the checkpoint. Its stored configuration gives alpha, where it has one.
        plan (`Plan`): of a model with the language model that is adapted.
        default_alpha (`int`): alpha where the checkpoint states none.

    Raises:
        ValueError: where an A has no B, or adapts what is not there, or shapes or ranks do not fit.
    """
    found: dict[str, dict[str, str]] = {}
    for key in source.meta:
        if match := KEY.match(key):
            name = f"model.language_model.{match[1]}.weight"
            if match[2] in found.setdefault(name, {}):
                raise ValueError(
                    f"{source.files[key]} holds {key} and {found[name][match[2]]}, which are the same tensor."
                )
            found[name][match[2]] = key
    if not found:
        return None
    pairs, ranks = {}, {}
    for name, parts in found.items():
        if len(parts) == 1:
            [key] = parts.values()
            raise ValueError(
                f"{source.files[key]} holds {key}, but not the other half of this LoRA: download it again."
            )
        a_key, b_key = parts["A"], parts["B"]
        if name not in plan.wanted:
            raise ValueError(
                f"{source.files[a_key]} holds {a_key}, but the language model has no {name}: it was trained for another."
            )
        for key in (a_key, b_key):
            refuse_quantized(source.meta[key], f"{key} in {source.files[key]}")
        a, b = source.meta[a_key].shape, source.meta[b_key].shape
        wanted = plan.wanted[name]
        if (len(a), len(b)) != (2, 2) or (b[0], a[1]) != tuple(wanted):
            raise ValueError(
                f"{source.files[a_key]}: {a_key} of shape {tuple(a)} and {b_key} of shape {tuple(b)} do not fit {name} "
                f"of shape {tuple(wanted)}: it was trained for another language model."
            )
        if a[0] != b[1]:
            raise ValueError(
                f"{source.files[a_key]}: {a_key} of shape {tuple(a)} has another rank than {b_key} of shape {tuple(b)}."
            )
        pairs[name], ranks[a[0]] = (a_key, b_key), a_key
    if len(ranks) > 1:
        (rank, key), (other_rank, other_key) = list(ranks.items())[:2]
        raise ValueError(f"{source.path} mixes LoRA ranks: {rank} in {key}, {other_rank} in {other_key}.")
    [rank] = ranks
    stored = source.settings.get("model")
    alpha = stored.get("lora_alpha") if isinstance(stored, dict) else None
    if alpha is not None and not isinstance(alpha, int):
        raise ValueError(f"{source.path} states lora_alpha {alpha!r} in its configuration, which is not an integer.")
    return Lora(source, rank, default_alpha if alpha is None else alpha, pairs)
