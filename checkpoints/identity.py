"""What a saved folder or Hub id is, decided once: a whole MiniGPT-4, an adapter, or trained weights only, with their base."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Literal

from .writing import STAGING, UNFINISHED


if TYPE_CHECKING:
    from minigpt4.modeling_minigpt4 import MiniGPT4Config


# Named here, as importing transformers takes a second, and peft several.
CONFIG_NAME, ADAPTER_CONFIG_NAME, PROCESSOR_NAME = "config.json", "adapter_config.json", "processor_config.json"
NO_LORA = "dummy-target-modules"  # PEFT's `target_modules` of an adapter without LoRA
# A finished folder has at least one file that matches.
WEIGHTS = {"whole": ("model*.safetensors", "pytorch_model*.bin"), "adapter": ("adapter_model*",)}


class CheckpointError(FileNotFoundError, ValueError):
    """A folder or Hub id that is missing, not a MiniGPT-4 checkpoint, of the wrong kind, or unfinished."""


@dataclass(frozen=True)
class Checkpoint:
    """
    What a folder or Hub id is.

    Args:
        name (`str`): folder or Hub id.
        kind (`str`):
            `"whole"` (a MiniGPT-4), `"adapter"` (LoRA and the modules trained with it) or `"learned"` (trained modules
            without LoRA). The last two are loaded into their `base`.
        revision (`str`, *optional*): revision on the Hub.
        adapter (`dict`): the adapter's settings, also of one next to a whole model; empty if there is none.
    """

    name: str
    kind: Literal["whole", "adapter", "learned"]
    revision: str | None
    adapter: Mapping

    @cached_property
    def base(self) -> "Checkpoint":
        """
        The whole model to load: this checkpoint itself, or the model that the adapter belongs to.

        Raises:
            CheckpointError: the adapter does not name its model, or that model is not found.
        """
        if self.kind == "whole":
            return self
        try:
            if not (name := self.adapter.get("base_model_name_or_path")):
                raise CheckpointError(f"{self.name}/{ADAPTER_CONFIG_NAME} has no base_model_name_or_path")
            return identify(name, self.adapter.get("revision")).require_whole()
        except CheckpointError as error:
            raise CheckpointError(f"cannot load the adapter {self.name} without its model: {error}") from error

    @property
    def with_processor(self) -> "Checkpoint":
        """Where its processor is: training saves one beside its adapters, PEFT alone does not."""
        return self if Path(self.name, PROCESSOR_NAME).is_file() else self.base

    def require_whole(self, advice: str = "give the model that it belongs to") -> "Checkpoint":
        """
        This checkpoint, if it is a whole model.

        Raises:
            CheckpointError: it is not; the message ends with `advice`.
        """
        if self.kind != "whole":
            raise CheckpointError(f"{self.name} holds only the trained weights: {advice}")
        return self

    def read_config(self) -> "MiniGPT4Config":
        """
        The configuration of a whole model.

        Raises:
            CheckpointError: a field has an invalid value.
        """
        from minigpt4.modeling_minigpt4 import MiniGPT4Config

        try:
            return MiniGPT4Config.from_pretrained(self.name, revision=self.revision or "main")
        except Exception as error:
            raise CheckpointError(f"{self.name}/{CONFIG_NAME} cannot be read: {first_line(error)}") from error


def identify(name: str | Path, revision: str | None = None) -> Checkpoint:
    """
    Find out what a folder or Hub id is before anything is loaded. From the Hub, only the settings are downloaded.

    Args:
        name (`str` or `Path`): folder or Hub id.
        revision (`str`, *optional*): which one of the Hub's; default: the newest.

    Raises:
        CheckpointError: it is not a MiniGPT-4 checkpoint, or is unfinished.
    """
    name = str(name)
    folder = Path(name)
    if folder.is_file():
        raise CheckpointError(f"{name} is a file; give the folder of a checkpoint or a Hub id")
    if folder.name == STAGING or folder.name.endswith(UNFINISHED):
        raise CheckpointError(f"{name} is unfinished: the run writing it is still going or was stopped")
    config, adapter = _read(name, CONFIG_NAME, revision), _read(name, ADAPTER_CONFIG_NAME, revision)
    if config is None and adapter is None:
        raise CheckpointError(_why_nothing(name, revision))
    if config is not None and config.get("model_type") != "minigpt4":
        raise CheckpointError(f"{name} is not a MiniGPT-4 checkpoint: its model_type is {config.get('model_type')!r}")
    if folder.is_dir():
        held, weights = (CONFIG_NAME, "whole") if config is not None else (ADAPTER_CONFIG_NAME, "adapter")
        if not any(any(folder.glob(pattern)) for pattern in WEIGHTS[weights]):
            wanted = "model.safetensors" if config is not None else "adapter_model.safetensors"
            raise CheckpointError(f"{name} is unfinished: it has {held} but no {wanted}")
    if config is not None:
        return Checkpoint(name, "whole", revision, adapter or {})
    has_lora = (adapter or {}).get("target_modules") != NO_LORA
    return Checkpoint(name, "adapter" if has_lora else "learned", revision, adapter or {})


def model_type_of(name: str | Path) -> str | None:
    """The `model_type` of a checkpoint of any model; `None` where it has no configuration of its own, as adapters."""
    return (_read(str(name), CONFIG_NAME, None) or {}).get("model_type")


def fingerprint(name: str | Path) -> str:
    """What differs once a folder is written anew: of the names, sizes and times of its files. Empty for a Hub id."""
    files = sorted(file for file in Path(name).glob("*") if file.is_file())
    facts = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12] if facts else ""


def is_adapter(folder: str | Path) -> bool:
    """Whether a folder holds an adapter and no whole model."""
    return (Path(folder) / ADAPTER_CONFIG_NAME).is_file() and not (Path(folder) / CONFIG_NAME).is_file()


def first_line(error: Exception) -> str:
    """The first line of an error message, shortened."""
    line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return shorten(line, 240, placeholder=" … (minigpt4 --debug shows all)")


def may_be_hub_id(name: str) -> bool:
    """Whether a name that is not a local folder has the form `owner/name` of the Hub."""
    return re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name, re.ASCII) is not None


def no_such_folder(name: str, what: str = "folder") -> str:
    """The message for a path where nothing is, with the folder beside it whose name is closest."""
    path = Path(name)
    beside = [one.name for one in path.parent.iterdir() if one.is_dir()] if path.parent.is_dir() else []
    close = get_close_matches(path.name, beside, n=1)
    return f"{name}: no such {what}" + (f"; did you mean {path.with_name(close[0])}?" if close else "")


def _read(name: str, file: str, revision: str | None) -> dict | None:
    """The content of a settings file; `None` if there is no such file."""
    if Path(name).is_dir():
        path = Path(name) / file
        if not path.is_file():
            return None
    elif not may_be_hub_id(name):
        return None
    else:
        from transformers.utils import cached_file

        try:
            found = cached_file(
                name,
                file,
                revision=revision,
                _raise_exceptions_for_gated_repo=False,
                _raise_exceptions_for_missing_entries=False,
                _raise_exceptions_for_connection_errors=False,
            )
        except (OSError, ValueError):  # no such repository: the caller reports it
            found = None
        if found is None:
            return None
        path = Path(found)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{name}/{file} cannot be read: {first_line(error)}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{name}/{file} holds a {type(content).__name__}, not an object with settings")
    return content


def _why_nothing(name: str, revision: str | None) -> str:
    if Path(name).is_dir():
        if checkpoints := sorted(Path(name).glob("checkpoint-*"), key=lambda path: path.stat().st_mtime):
            return f"{name} is unfinished: it has no {CONFIG_NAME}, only checkpoints such as {checkpoints[-1]}"
        return f"{name} is not a checkpoint: it has no {CONFIG_NAME}"
    if not may_be_hub_id(name):
        return no_such_folder(name)
    from huggingface_hub.errors import LocalEntryNotFoundError
    from transformers.utils import cached_file

    try:
        cached_file(name, CONFIG_NAME, revision=revision)
        reason = "it appeared during the check"
    except Exception as error:
        if isinstance(error.__cause__, LocalEntryNotFoundError):
            return f"{no_such_folder(name)}; if it is a Hub id: the Hub cannot be reached, and it is not in the cache"
        reason = first_line(error)
    return f"{name} is neither a local folder nor a model on the Hub: {reason}"
