"""Selecting what is pushed from a folder: weights, processor, settings, code and card, and nothing else."""

import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import ModelCard
from safetensors import SafetensorError, safe_open
from transformers import AutoProcessor, ProcessorMixin
from transformers.dynamic_module_utils import custom_object_save
from transformers.utils import (
    ADAPTER_CONFIG_NAME,
    ADAPTER_SAFE_WEIGHTS_NAME,
    CHAT_TEMPLATE_DIR,
    CONFIG_NAME,
    GENERATION_CONFIG_NAME,
    PROCESSOR_NAME,
    SAFE_WEIGHTS_INDEX_NAME,
    SAFE_WEIGHTS_NAME,
)
from yaml import YAMLError

from minigpt4.checkpoints.identity import first_line, identify, is_adapter
from minigpt4.checkpoints.remote_code import naming_refused_code
from minigpt4.checkpoints.strangers import read_weight_map
from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
from minigpt4.modeling_minigpt4.adapters_minigpt4 import NOTE

from .card import CARD, PLACEHOLDER, Result, add_results, is_path, model_card, training_of


# What is read of a folder, with configuration, processor and tokenizer, ends in one of these.
READ = (".safetensors", ".json", ".jinja", ".model", ".txt", ".py")
# What a push may write, and so may take away again where an older push left it.
OURS = (
    CONFIG_NAME,
    GENERATION_CONFIG_NAME,
    SAFE_WEIGHTS_NAME,
    SAFE_WEIGHTS_INDEX_NAME,
    "model-*-of-*.safetensors",
    ADAPTER_CONFIG_NAME,
    ADAPTER_SAFE_WEIGHTS_NAME,
    NOTE,
    "*processor_config.json",
    "tokenizer*.json",
    "chat_template.jinja",
    "*_minigpt4.py",
)


@dataclass(frozen=True)
class Upload:
    """
    What is to be pushed.

    Args:
        files (`dict[str, Path | bytes]`): name in the repository -> a file, or its content.
        left_out (`list[str]`): what else lies in the folder.
    """

    files: dict[str, Path | bytes]
    left_out: list[str]

    def named(self, repo_id: str) -> "Upload":
        """With the repository's name in the snippet of a card that waits for one."""
        return self._with_card(self._card().replace(PLACEHOLDER, repo_id))

    def with_results(self, results: Sequence[Result]) -> "Upload":
        """With these results in the card, which stays as it is where there are none."""
        if not results:
            return self
        try:
            card = ModelCard(self._card().replace("\r\n", "\n"))
        except (YAMLError, ValueError) as error:
            raise ValueError(f"{CARD} begins with metadata that cannot be read: {error}") from error
        return self._with_card(str(add_results(card, results)))

    def _card(self) -> str:
        card = self.files[CARD]
        try:
            return (card if isinstance(card, bytes) else card.read_bytes()).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{CARD} is not UTF-8 text: save it as UTF-8.") from error

    def _with_card(self, text: str) -> "Upload":
        return Upload(self.files | {CARD: text.encode()}, self.left_out)

    def sizes(self) -> dict[str, int]:
        """Bytes of each file."""
        return {
            name: len(content) if isinstance(content, bytes) else content.stat().st_size
            for name, content in self.files.items()
        }


def is_ours(name: str) -> bool:
    """Whether a file at the top of a repository is one that a push writes."""
    return "/" not in name and any(fnmatch(name, pattern) for pattern in OURS)


def gather_model(folder: str | Path, trust_remote_code: bool = False) -> Upload:
    """
    Everything that a person without this package needs to load the model in `folder` from the Hub.

    The code is this package's own, not what may lie in the folder. A card is made where there is none.

    Args:
        folder (`str` or `Path`): holds it.
        trust_remote_code (`bool`, *optional*, defaults to `False`):
            Run code that it brings for its tokenizer or processors; such code is pushed, too.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it does not hold a whole MiniGPT-4, or needs code of its own, which is not trusted.
    """
    folder = _folder(folder)
    refuse_links_out(folder)
    config = identify(folder).require_whole("push it with --adapter-only").read_config()
    files: dict[str, Path | bytes] = {name: folder / name for name in _weights(folder)}
    files |= {
        name: folder / name for name in (GENERATION_CONFIG_NAME, ADAPTER_SAFE_WEIGHTS_NAME) if _has(folder, name)
    }
    if _has(folder, ADAPTER_CONFIG_NAME):  # of the model beside it, wherever that is
        settings = json.loads((folder / ADAPTER_CONFIG_NAME).read_text(encoding="utf-8"))
        files[ADAPTER_CONFIG_NAME] = _json(settings | {"base_model_name_or_path": None})
    processor = _load_processor(folder, trust_remote_code)
    files |= _packaged(config, processor, MiniGPT4ForConditionalGeneration)
    files[CARD] = (
        folder / CARD if _has(folder, CARD) else str(model_card(folder, training=training_of(folder))).encode()
    )
    return Upload(files, _left_out(folder, files))


def gather_adapter(folder: str | Path, base: str | None = None, trust_remote_code: bool = False) -> Upload:
    """
    The adapter in `folder` alone, with its processor and its card.

    Args:
        folder (`str` or `Path`): may hold a whole model, too.
        base (`str`, *optional*): Hub id of the model it belongs to, where it was trained on a folder.
        trust_remote_code (`bool`, *optional*, defaults to `False`): as for [`gather_model`].

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it does not hold an adapter, or the adapter's base is a folder and `base` does not name its Hub id.
    """
    folder = _folder(folder)
    refuse_links_out(folder)
    if not (_has(folder, ADAPTER_CONFIG_NAME) and _has(folder, ADAPTER_SAFE_WEIGHTS_NAME)):
        raise ValueError(f"{folder} does not hold an adapter: leave --adapter-only out to push the whole model.")
    learned = _parameters(folder / ADAPTER_SAFE_WEIGHTS_NAME)
    settings = json.loads((folder / ADAPTER_CONFIG_NAME).read_text(encoding="utf-8"))
    named = settings.get("base_model_name_or_path")
    if base is None and (not named or is_path(named)):
        raise ValueError(
            f"The adapter in {folder} belongs to {named or 'a model without a name'}, which others cannot load: push "
            "that first, and give its Hub id with --base, or leave --adapter-only out to push both as one model."
        )
    files: dict[str, Path | bytes] = {ADAPTER_SAFE_WEIGHTS_NAME: folder / ADAPTER_SAFE_WEIGHTS_NAME}
    note = json.loads((folder / NOTE).read_text(encoding="utf-8")) if _has(folder, NOTE) else None
    if base is not None:
        settings |= {"base_model_name_or_path": base, "revision": None}
        note = note and note | {"name": base, "revision": "main"}
    files[ADAPTER_CONFIG_NAME] = _json(settings)
    if note:
        files[NOTE] = _json(note)
    if _has(folder, PROCESSOR_NAME):
        files |= _packaged(_load_processor(folder, trust_remote_code))
    own_card = _has(folder, CARD) and is_adapter(folder) and base is None
    files[CARD] = (
        folder / CARD
        if own_card
        else str(model_card(folder, base=base or named, training=training_of(folder, learned))).encode()
    )
    return Upload(files, _left_out(folder, files))


def _folder(folder: str | Path) -> Path:
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder: give the one that the model was saved in.")
    return folder


def _has(folder: Path, name: str) -> bool:
    return (folder / name).is_file() and not leaves(folder / name)


def leaves(file: Path) -> bool:
    """Whether a file in a folder is a link to somewhere else: what it points to is not part of the model."""
    return not file.resolve().is_relative_to(file.parent.resolve())


def refuse_links_out(folder: Path) -> None:
    """
    Make sure that what is read to be pushed lies in the folder.

    Raises:
        ValueError: weights, or a file that is read with configuration or processor, are a link that leaves the folder.
    """
    files = sorted((*folder.iterdir(), *folder.glob(f"{CHAT_TEMPLATE_DIR}/*")))
    read = (file for file in files if file.suffix in READ or file.name == CHAT_TEMPLATE_DIR)
    if linked := next(filter(leaves, read), None):
        raise ValueError(f"{linked} points outside the folder and is not pushed: replace the link with a copy.")


def _load_processor(folder: Path, trust_remote_code: bool) -> ProcessorMixin:
    with naming_refused_code(folder):
        try:
            return AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)
        except Exception as error:
            raise ValueError(f"{folder / PROCESSOR_NAME} cannot be loaded: {first_line(error)}") from error


def _weights(folder: Path) -> list[str]:
    """Names of the weight files, all of them there and readable."""
    if _has(folder, SAFE_WEIGHTS_INDEX_NAME):
        shards = sorted(set(read_weight_map(folder / SAFE_WEIGHTS_INDEX_NAME).values()))
        for shard in shards:
            _parameters(folder / shard)
        return [*shards, SAFE_WEIGHTS_INDEX_NAME]
    if not _has(folder, SAFE_WEIGHTS_NAME):
        pickled = ": pickled weights are not pushed, load and save the model once" if [*folder.glob("*.bin")] else ""
        raise ValueError(f"{folder} holds no {SAFE_WEIGHTS_NAME}{pickled}.")
    _parameters(folder / SAFE_WEIGHTS_NAME)
    return [SAFE_WEIGHTS_NAME]


def _parameters(file: Path) -> int:
    """How many a file of weights holds; read from its head, which a file that was cut short contradicts."""
    try:
        with safe_open(file, "pt") as weights:
            return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{file} is missing or damaged: {error}") from error


def _packaged(*parts) -> dict[str, bytes]:
    """Configuration and processor as they are saved, with their code; of a class its code alone."""
    with tempfile.TemporaryDirectory() as temporary:
        for part in parts:
            if isinstance(part, type):
                custom_object_save(part, temporary)
            else:
                part.save_pretrained(temporary)
        return {file.name: file.read_bytes() for file in sorted(Path(temporary).iterdir())}


def _left_out(folder: Path, files: dict) -> list[str]:
    names = (path.name + "/" if path.is_dir() else path.name for path in folder.iterdir())
    return sorted(name for name in names if name not in files or leaves(folder / name))


def _json(content: dict) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()
