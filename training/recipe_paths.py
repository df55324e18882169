"""What a recipe names on this machine: looked for before torch is imported, which takes seconds."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from minigpt4.checkpoints.identity import identify, may_be_hub_id, no_such_folder
from minigpt4.hub_cards.embedded import embedded


def refuse_missing_paths(values: Mapping) -> None:
    """
    Refuse a model that is no checkpoint, and paths of data where nothing is. Names of data without a folder are left
    to those who know them: published sets, sets on the Hub.

    Args:
        values (`Mapping`): a recipe's, by key.

    Raises:
        CheckpointError: the model is not a MiniGPT-4 checkpoint, or is not there.
        FileNotFoundError: there is no such data.
    """
    model = values.get("model_name_or_path")
    if isinstance(model, str):
        identify(embedded(model), values.get("model_revision"))
    root = values.get("data_root")
    for name in (*_names(values.get("data")), *_names(values.get("eval_data"))):
        if _is_path(name) and not (Path(name).exists() or (root and Path(root, name).exists())):
            raise FileNotFoundError(no_such_folder(name, "file or folder"))


def _names(data: object) -> Iterator[str]:
    for entry in data if isinstance(data, list) else [data]:
        name = entry.get("name") if isinstance(entry, Mapping) else entry
        if isinstance(name, str):
            yield name


def _is_path(name: str) -> bool:
    """Not of shards, whose names may stand for many files at any address."""
    return not any(sign in name for sign in ("://", "{", ".tar")) and (
        name.endswith(".json") or ("/" in name and not may_be_hub_id(name))
    )
