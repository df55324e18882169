"""Where published files are: checked before they are opened, and before torch is imported."""

from pathlib import Path


def refuse_missing(name: str | Path) -> None:
    """
    Refuse the name of a file that does not exist and cannot be a Hub id: that has one slash, and no suffix of weights.

    Raises:
        FileNotFoundError: it is such a name.
    """
    path = Path(name)
    if path.exists():
        return
    if len(path.parts) != 2 or path.is_absolute() or path.suffix in (".pth", ".pt", ".bin", ".safetensors"):
        raise FileNotFoundError(f"There is no file or folder {name}.")
