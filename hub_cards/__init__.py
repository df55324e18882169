"""Everything that becomes a Hub repository, and nano, the checkpoint that the package carries."""

from pathlib import Path


def nano_path() -> Path:
    """Folder of the embedded checkpoint, for `from_pretrained`."""
    return Path(__file__).parent / "nano"


__all__ = ["nano_path"]
