"""What a saved folder or Hub id is, decided once: a whole MiniGPT-4, an adapter, or what learned alone with its base."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Literal

from transformers.utils import ADAPTER_CONFIG_NAME, CONFIG_NAME, cached_file

from .writing import STAGING, UNFINISHED


if TYPE_CHECKING:
    from minigpt4.modeling_minigpt4 import MiniGPT4Config


# The files of which a folder that is whole holds one, at least.
WEIGHTS = {"whole": ("model*.safetensors", "pytorch_model*.bin"), "adapter": ("adapter_model*",)}


class CheckpointError(FileNotFoundError, ValueError):
    """A folder or Hub id is not a checkpoint, not one of this kind, or not a whole one: nothing there, or the wrong thing."""


@dataclass(frozen=True)
class Checkpoint:
    """
    What a folder or Hub id is.

    Args:
        name (`str`): folder or Hub id.
        kind (`str`):
            `"whole"` (a MiniGPT-4), `"adapter"` (LoRA, and parts that learned beside it) or `"learned"` (the parts that
            learned, without LoRA). The last two are loaded into their `base`.
        revision (`str`, *optional*): which one of the Hub's.
        adapter (`dict`): settings of the adapter, also of one beside a whole model; empty where there is none.
    """

    name: str
    kind: Literal["whole", "adapter", "learned"]
    revision: str | None
    adapter: Mapping

    @cached_property
    def base(self) -> "Checkpoint":
        """
        The whole model that is loaded for this checkpoint: itself, or the one that an adapter belongs to.

        Raises:
            CheckpointError: the adapter does not name it, or it is not there.
        """
        if self.kind == "whole":
            return self
        try:
            if not (name := self.adapter.get("base_model_name_or_path")):
                raise CheckpointError(f"{self.name}/{ADAPTER_CONFIG_NAME} says no base_model_name_or_path")
            return identify(name, self.adapter.get("revision")).require_whole()
        except CheckpointError as error:
            raise CheckpointError(f"cannot load the adapter {self.name} without its model: {error}") from error

    def require_whole(self, advice: str = "give the model that it belongs to") -> "Checkpoint":
        """
        This checkpoint, where it is a whole model.

        Raises:
            CheckpointError: it is not; `advice` says what to do.
        """
        if self.kind != "whole":
            raise CheckpointError(f"{self.name} holds only what learned: {advice}")
        return self

    def read_config(self) -> "MiniGPT4Config":
        """
        The configuration of a whole model.

        Raises:
            CheckpointError: a field has a value that it cannot have.
        """
        from minigpt4.modeling_minigpt4 import MiniGPT4Config

        try:
            return MiniGPT4Config.from_pretrained(self.name, revision=self.revision or "main")
        except Exception as error:
            raise CheckpointError(f"{self.name}/{CONFIG_NAME} cannot be read: {first_line(error)}") from error


def identify(name: str | Path, revision: str | None = None) -> Checkpoint:
    """
    What a folder or Hub id is, before anything is loaded. Of a Hub id, only its settings are downloaded.

    Args:
        name (`str` or `Path`): folder or Hub id.
        revision (`str`, *optional*): which one of the Hub's; default: the newest.

    Raises:
        CheckpointError: it is not a checkpoint of a MiniGPT-4, or was not written to its end.
    """
    name = str(name)
    folder = Path(name)
    if folder.is_file():
        raise CheckpointError(f"{name} is a file; give the folder of a checkpoint or a Hub id")
    if folder.name == STAGING or folder.name.endswith(UNFINISHED):
        raise CheckpointError(f"{name} is unfinished: the run that writes it goes on, or was stopped")
    config, adapter = _read(name, CONFIG_NAME, revision), _read(name, ADAPTER_CONFIG_NAME, revision)
    if config is None and adapter is None:
        raise CheckpointError(_why_nothing(name, revision))
    if config is not None and config.get("model_type") != "minigpt4":
        raise CheckpointError(f"{name} is no MiniGPT-4 checkpoint: its model_type is {config.get('model_type')!r}")
    if folder.is_dir():
        held, weights = (CONFIG_NAME, "whole") if config is not None else (ADAPTER_CONFIG_NAME, "adapter")
        if not any(any(folder.glob(pattern)) for pattern in WEIGHTS[weights]):
            wanted = "model.safetensors" if config is not None else "adapter_model.safetensors"
            raise CheckpointError(f"{name} is unfinished: it holds a {held}, but no {wanted}")
    if config is not None:
        return Checkpoint(name, "whole", revision, adapter or {})
    return Checkpoint(name, "adapter" if _has_lora(adapter or {}) else "learned", revision, adapter or {})


def is_adapter(folder: str | Path) -> bool:
    """Whether a folder holds an adapter and no model."""
    return (Path(folder) / ADAPTER_CONFIG_NAME).is_file() and not (Path(folder) / CONFIG_NAME).is_file()


def first_line(error: Exception) -> str:
    """What an error says, in a line."""
    line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return shorten(line, 240, placeholder=" … (minigpt4 --debug shows all)")


def _has_lora(adapter: Mapping) -> bool:
    from peft.utils.constants import DUMMY_TARGET_MODULES

    return adapter.get("target_modules") != DUMMY_TARGET_MODULES


def _read(name: str, file: str, revision: str | None) -> dict | None:
    """A file of settings; `None` where there is none."""
    if Path(name).is_dir():
        path = Path(name) / file
        if not path.is_file():
            return None
    else:
        try:
            found = cached_file(
                name,
                file,
                revision=revision,
                _raise_exceptions_for_gated_repo=False,
                _raise_exceptions_for_missing_entries=False,
                _raise_exceptions_for_connection_errors=False,
            )
        except (OSError, ValueError):  # no such repository: said by the caller
            found = None
        if found is None:
            return None
        path = Path(found)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{name}/{file} cannot be read: {first_line(error)}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{name}/{file} holds a {type(content).__name__}, where settings are needed")
    return content


def _why_nothing(name: str, revision: str | None) -> str:
    if Path(name).is_dir():
        if checkpoints := sorted(Path(name).glob("checkpoint-*"), key=lambda path: path.stat().st_mtime):
            return f"{name} is unfinished: it holds no {CONFIG_NAME}, but checkpoints such as {checkpoints[-1]}"
        return f"{name} is no checkpoint: it holds no {CONFIG_NAME}"
    try:
        cached_file(name, CONFIG_NAME, revision=revision)
        reason = "it came while this looked for it"
    except Exception as error:
        reason = first_line(error)
    return f"{name} is neither a folder here nor a model that the Hub gives out: {reason}"


__all__ = ["Checkpoint", "CheckpointError", "identify", "is_adapter"]
