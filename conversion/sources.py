"""Reading the published files: PyTorch and safetensors, whole or sharded, here or on the Hub. Nothing in them runs."""

import pickle
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError, safe_open

from minigpt4.checkpoints.strangers import read_weight_map, refuse_strange_keys

from .places import refuse_missing


# Each in its sharded and its whole form; the first that is there counts.
WEIGHTS = [
    ("model.safetensors.index.json", "model.safetensors"),
    ("pytorch_model.bin.index.json", "pytorch_model.bin"),
]


class Source:
    """
    The tensors of a file or of a folder with weights, memory-mapped: none is read before it is used.

    Args:
        path (`str` or `Path`):
            A `.safetensors` file, a file of `torch.save` (a state dict, or one under `"model"`), or a folder with
            `model.safetensors` or `pytorch_model.bin`, whole or sharded.
        prefixes (`tuple[str, ...]`, *optional*):
            Of a sharded folder, read only the shards that hold tensors which begin so. Default, and where none does: all.

    Attributes:
        files (`dict[str, Path]`): the file that holds each tensor.
        meta (`dict[str, torch.Tensor]`): each tensor without its data, on the meta device.
        settings (`dict`): the configuration stored in a MiniGPT-4 checkpoint, or `{}`.

    Raises:
        FileNotFoundError: where there is nothing to read.
        ValueError: a file that is truncated, holds no weights, or holds Python objects, which could run code.
    """

    def __init__(self, path: str | Path, prefixes: tuple[str, ...] = ()):
        self.path = Path(path)
        self.files: dict[str, Path] = {}
        self.meta: dict[str, torch.Tensor] = {}
        self.settings: dict = {}
        self._opened: dict[Path, dict[str, torch.Tensor]] = {}
        for file, keys in _weight_files(self.path, prefixes).items():
            tensors, settings = _open(file)
            self.settings |= settings
            if keys is not None and (lost := sorted(keys - tensors.keys())):
                raise ValueError(f"{file} lacks {lost[0]}, which the index lists in it: download it again.")
            for key, tensor in tensors.items():
                if key in self.files:
                    raise ValueError(f"{key} is both in {self.files[key]} and in {file}: keep one.")
                if kind := _unusual_kind(tensor):
                    raise ValueError(f"{key} in {file} is a {kind} tensor: give a file with plain, whole tensors.")
                self.files[key] = file
                self.meta[key] = torch.empty_like(tensor, device="meta")
        if not self.meta:
            raise ValueError(f"{self.path} holds no tensors: give a file of weights.")

    def read(self, key: str) -> torch.Tensor:
        """The tensor called `key`, on the mapped file: copy it before `close`."""
        file = self.files[key]
        if file not in self._opened:
            self._opened[file] = _open(file)[0]
        return self._opened[file][key]

    def close(self) -> None:
        """Gives back the memory of what was read so far; `read` opens the files again."""
        self._opened.clear()


def local_folder(name: str | Path, revision: str | None = None, prefixes: tuple[str, ...] = ()) -> Path:
    """
    The folder of a model: itself where it is one, else downloaded from the Hub; with `prefixes`, as for [`Source`], only
    the shards that are read.

    Raises:
        FileNotFoundError: where it is neither a folder nor a model that the Hub gives out.
        NotADirectoryError: where it is a file.
    """
    if Path(name).is_dir():
        return Path(name)
    if Path(name).is_file():
        raise NotADirectoryError(f"{name} is a file: give the folder that it is in, or a Hub id.")
    name, beside = str(name), ["*.json", "tokenizer.model"]
    try:
        if prefixes:
            folder = Path(snapshot_download(name, revision=revision, allow_patterns=beside))
            if index := next((folder / index for index, _ in WEIGHTS if (folder / index).is_file()), None):
                shards = [file.name for file in _shards(index, prefixes)]
                return Path(snapshot_download(name, revision=revision, allow_patterns=[*shards, *beside]))
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=["*.safetensors", *beside]))
        if not any(folder.glob("*.safetensors")):
            folder = Path(snapshot_download(name, revision=revision, allow_patterns=["*.bin", *beside]))
        return folder
    except (OSError, HFValidationError) as error:
        reason = str(error).strip().splitlines()[0]
        raise FileNotFoundError(f"{name} is neither a local folder nor a model on the Hub: {reason}") from error


def open_source(name: str | Path, prefixes: tuple[str, ...] = ()) -> Source:
    """A file, a folder, or a model on the Hub as a [`Source`]; of shards only those with the `prefixes`."""
    path = Path(name)
    refuse_missing(path)
    if not path.exists():
        path = local_folder(str(name), prefixes=prefixes)
    return Source(path, prefixes)


def _weight_files(path: Path, prefixes: tuple[str, ...]) -> Mapping[Path, set[str] | None]:
    """The files with weights, and the keys that each must hold where an index says so."""
    if path.is_file():
        return {path: None}
    if not path.is_dir():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    for index_name, whole in WEIGHTS:
        if (index := path / index_name).is_file():
            files = _shards(index, prefixes)
            if lost := [file for file in files if not file.is_file()]:
                raise FileNotFoundError(f"{lost[0]} is missing, but {index_name} names it: get the whole folder.")
            return files
        if (path / whole).is_file():
            return {path / whole: None}
    names = " or ".join(whole for _, whole in WEIGHTS)
    raise FileNotFoundError(f"{path} holds no weights: there is no {names}, nor an index of shards.")


def _shards(index: Path, prefixes: tuple[str, ...]) -> dict[Path, set[str]]:
    """The shards that an index names and their keys: those with a key that begins so, or all where there is none."""
    files: defaultdict[Path, set[str]] = defaultdict(set)
    for key, name in read_weight_map(index).items():
        files[index.with_name(name)].add(key)
    needed = {file: keys for file, keys in files.items() if any(key.startswith(prefixes) for key in keys)}
    return needed or dict(files)


def _open(file: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """The tensors of one file, memory-mapped, and the settings beside them."""
    if file.suffix == ".safetensors":
        try:
            with safe_open(file, "pt") as opened:
                refuse_strange_keys(opened.keys(), file)
                return {key: opened.get_tensor(key) for key in opened.keys()}, {}  # noqa: SIM118 - no mapping
        except SafetensorError as error:
            raise ValueError(f"{file} is truncated or not a safetensors file ({error}): download it again.") from error
    content = _unpickle(file)
    settings: dict = {}
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        if isinstance(content.get("config"), Mapping):
            settings = dict(content["config"])
        content = content["model"]
    if not isinstance(content, Mapping):
        raise ValueError(f"{file} holds a {type(content).__name__}, not a state dict: give a file of weights.")
    refuse_strange_keys(content, file)
    for key, value in content.items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(f"{file}: {key} is a {type(value).__name__}, not a tensor: give a file of weights.")
    return dict(content), settings


def _unusual_kind(tensor: torch.Tensor) -> str | None:
    """What keeps a tensor from being copied as it is."""
    if tensor.is_nested:
        return "nested"
    if tensor.layout != torch.strided:
        return "sparse"
    if tensor.is_meta:
        return "meta"  # a shape without numbers
    return "quantized" if tensor.is_quantized else None


def _unpickle(file: Path):
    try:
        try:
            return torch.load(file, mmap=True, map_location="cpu", weights_only=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
            # PyTorch's format before 1.6 cannot be mapped: read into memory.
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Unsupported operand" in str(error):  # no pickle at all
            raise ValueError(f"{file} is not a file of PyTorch weights: download it again.") from error
        raise ValueError(
            f"{file} holds more than tensors and plain values, and reading it could run code: refused. "
            "Save its state dict alone where you trust it."
        ) from error
    except (OSError, MemoryError):
        raise
    except Exception as error:  # of texts and cut files, the machine that reads pickles may raise anything
        raise ValueError(f"{file} is truncated or not a file of PyTorch weights: download it again.") from error
