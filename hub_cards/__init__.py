"""Everything that becomes a Hub repository, and nano, the checkpoint that the package carries."""

from pathlib import Path

from minigpt4.lazy import lazy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..checkpoints.identity import is_adapter as is_adapter
    from .gathering import Upload as Upload
    from .gathering import gather_adapter as gather_adapter
    from .gathering import gather_model as gather_model
    from .merging import merge_adapter as merge_adapter
    from .pushing import push as push
else:
    __all__ = ["nano_path", *lazy(__name__)]


def nano_path() -> Path:
    """Folder of the embedded checkpoint, for `from_pretrained`."""
    return Path(__file__).parent / "nano"
