"""The contents of a folder, part by part, and whether they match its sources."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from tqdm import tqdm
from transformers.utils import ADAPTER_CONFIG_NAME, ADAPTER_SAFE_WEIGHTS_NAME

from minigpt4.checkpoints.families import LORA_ALPHA
from minigpt4.checkpoints.identity import identify
from minigpt4.modeling_minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration

from .checkpoint import plan_checkpoint
from .folder import is_finite
from .language_model import plan_language_model
from .names import BLIP2_FOLDER_PARTS, COMPONENTS, component
from .plan import Plan
from .published_lora import Lora
from .qformer import plan_qformer
from .renamed import RenamedSource
from .sources import Source, local_folder, open_source
from .vision import plan_towers


# So much of the mapped files is kept in memory.
MAPPED_BYTES = 1_000_000_000


@dataclass
class Component:
    """
    One part of a model.

    Args:
        tensors (`int`): how many there are.
        parameters (`int`): numbers in them.
        dtypes (`set[str]`): theirs.
        checksum (`str`): sha256 over name, dtype, shape and bytes of each, in the order of the names.
        compared (`int`): tensors that were compared with a source.
    """

    tensors: int = 0
    parameters: int = 0
    dtypes: set[str] = field(default_factory=set)
    checksum: str = ""
    compared: int = 0


@dataclass
class Report:
    """
    What [`verify`] found.

    Args:
        components (`dict[str, Component]`): by the name of the part.
        problems (`list[str]`): what is not as it should be, a line for each.
    """

    components: dict[str, Component]
    problems: list[str]


def verify(
    folder: str | Path,
    *,
    vision: str | Path | None = None,
    qformer: str | Path | None = None,
    language_model: str | Path | None = None,
    checkpoint: str | Path | None = None,
    quiet: bool = False,
) -> Report:
    """
    Looks at every tensor of a folder: whether they are those of its configuration, and what its sources hold.

    Args:
        folder (`str` or `Path`): folder or Hub id of a MiniGPT-4.
        vision, qformer, language_model, checkpoint (`str` or `Path`, *optional*):
            As for [`convert`]: the sources to compare with, any of them. A merged LoRA needs both the checkpoint and the
            language model.
        quiet (`bool`, defaults to `False`): no progress bar.

    Returns:
        `Report`: with no `problems` where all is well.

    Raises:
        FileNotFoundError, ValueError: a folder or a source that cannot be read, or that does not fit at all.
    """
    folder = local_folder(folder)
    config = identify(folder).require_whole().read_config()
    plan = Plan(config)
    stored = [_stored(folder, config)]
    adapter = Source(folder / ADAPTER_SAFE_WEIGHTS_NAME) if (folder / ADAPTER_SAFE_WEIGHTS_NAME).is_file() else None
    has_lora = adapter is not None or bool(getattr(config, "merged_lora", None))
    lora = _plan_sources(plan, vision, qformer, language_model, checkpoint, has_lora=has_lora)
    kept: dict[str, torch.Tensor] = {}
    if adapter is not None:
        stored.append(adapter)
        kept = lora.adapter() if lora else {}
    elif lora is not None and language_model is not None:
        lora.merge(plan)

    homes = {name: source for source in stored for name in source.meta}
    problems = [f"{name} is missing" for name in plan.wanted if name not in homes]
    problems += [f"{name} is missing" for name in kept if name not in homes]
    if adapter is not None and lora is not None:
        problems += _wrong_settings(folder / ADAPTER_CONFIG_NAME, lora)
    components = {part: Component() for part in COMPONENTS}
    hashes = {part: hashlib.sha256() for part in COMPONENTS}
    total, mapped = sum(source.meta[name].nbytes for name, source in homes.items()), 0
    with tqdm(total=total, unit="B", unit_scale=True, desc="Tensors", disable=True if quiet else None) as bar:
        for name in sorted(homes):
            if name not in plan.wanted and homes[name] is not adapter:
                problems.append(f"{name} has no place in the model")
                continue
            tensor, part = homes[name].read(name), component(name)
            if name in plan.wanted and tensor.shape != plan.wanted[name]:
                problems.append(f"{name} has shape {tuple(tensor.shape)}, not {tuple(plan.wanted[name])}")
            if not is_finite(tensor):
                problems.append(f"{name} holds numbers that are not finite")
            _count(components[part], hashes[part], name, tensor)
            expected = kept.get(name)
            if name in plan.tensors:
                expected = plan.tensors[name].make()
            if expected is not None:
                components[part].compared += 1
                if difference := _difference(tensor, expected):
                    origin = plan.tensors[name].origin if name in plan.tensors else "the checkpoint"
                    problems.append(f"{name} is not {origin}: {difference}")
            bar.update(tensor.nbytes)
            mapped += tensor.nbytes
            if mapped > MAPPED_BYTES:
                mapped = 0
                del tensor, expected
                for source in (*stored, *plan.sources):
                    source.close()
    for part, digest in hashes.items():
        components[part].checksum = digest.hexdigest()
    return Report({part: found for part, found in components.items() if found.tensors}, problems)


def print_report(report: Report, folder: str | Path) -> None:
    """Prints the table of the parts, then what is wrong, or that nothing is."""
    table = Table("part", "tensors", "parameters", "dtype", "sha256", "compared", title=str(folder))
    for part, found in report.components.items():
        table.add_row(
            part,
            f"{found.tensors:,}",
            f"{found.parameters:,}",
            ", ".join(sorted(found.dtypes)),
            found.checksum[:16],
            f"{found.compared:,}",
        )
    console = Console(markup=False)
    # Not wrapped where stdout is not a terminal.
    console.width = console.width if console.is_terminal else 160
    console.print(table)
    for problem in report.problems:
        console.print(problem, highlight=False, soft_wrap=True)
    if not report.problems:
        tensors = sum(found.tensors for found in report.components.values())
        compared = sum(found.compared for found in report.components.values())
        like = f"{compared:,} of them as in their sources" if compared else "none compared with a source"
        verdict = f"{folder} passed: {tensors:,} tensors, all in their places and finite, {like}."
        console.print(verdict, highlight=False, soft_wrap=not console.is_terminal)


def _plan_sources(plan: Plan, vision, qformer, language_model, checkpoint, *, has_lora: bool):
    if vision is not None:
        plan_towers(plan, vision, identity=qformer is None and plan.config.qformer_config is None)
    if qformer is not None:
        plan_qformer(plan, open_source(qformer, BLIP2_FOLDER_PARTS))
    if language_model is not None:
        plan_language_model(plan, open_source(local_folder(language_model)))
    if checkpoint is None:
        return None
    return plan_checkpoint(plan, open_source(checkpoint), lora_alpha=LORA_ALPHA if has_lora else None)


def _stored(folder: Path, config: MiniGPT4Config) -> Source:
    """What a folder holds; transformers saves some models under other names than they have in memory."""
    source = Source(folder)
    with torch.device("meta"):
        model = MiniGPT4ForConditionalGeneration(config)
    return source if source.meta.keys() <= model.state_dict().keys() else RenamedSource(source, model)


def _wrong_settings(file: Path, lora: Lora) -> list[str]:
    """What scales an adapter otherwise than its checkpoint."""
    found = json.loads(file.read_text(encoding="utf-8"))
    wanted = {"r": lora.rank, "lora_alpha": lora.alpha}
    return [
        f"{name} in {file.name} is {found.get(name)!r}, but {value} in {lora.source.path}"
        for name, value in wanted.items()
        if found.get(name) != value
    ]


def _count(found: Component, digest, name: str, tensor: torch.Tensor) -> None:
    dtype = str(tensor.dtype).removeprefix("torch.")
    found.tensors += 1
    found.parameters += tensor.numel()
    found.dtypes.add(dtype)
    digest.update(f"{name} {dtype} {tuple(tensor.shape)}\n".encode())
    digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy())


def _difference(stored: torch.Tensor, expected: torch.Tensor) -> str:
    if stored.dtype != expected.dtype:
        return f"{stored.dtype} instead of {expected.dtype}"
    if stored.shape != expected.shape:
        return f"shape {tuple(stored.shape)} instead of {tuple(expected.shape)}"
    if torch.equal(stored, expected):
        return ""
    return f"values differ by up to {(stored.float() - expected.float()).abs().max():.3g}"
