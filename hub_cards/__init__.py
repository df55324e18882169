"""Everything that becomes a Hub repository, and nano, the checkpoint that the package carries."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from .gathering import Upload as Upload
    from .gathering import gather_adapter as gather_adapter
    from .gathering import gather_model as gather_model
    from .gathering import is_adapter as is_adapter
    from .merging import merge_adapter as merge_adapter
    from .pushing import push as push

# Where they live: imported when they are first used, so that `nano_path` costs nothing.
_HOMES = {
    "Upload": "gathering",
    "gather_adapter": "gathering",
    "gather_model": "gathering",
    "is_adapter": "gathering",
    "merge_adapter": "merging",
    "push": "pushing",
}


def nano_path() -> Path:
    """Folder of the embedded checkpoint, for `from_pretrained`."""
    return Path(__file__).parent / "nano"


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = ["nano_path", *_HOMES]
