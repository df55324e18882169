"""Where published files are: checked before they are opened, and before torch is imported."""

from pathlib import Path

from minigpt4.checkpoints.identity import may_be_hub_id


def refuse_missing(*names: str | Path | None) -> None:
    """
    Refuse names of files that do not exist and cannot be Hub ids, all of them at once; `None` stands for no file.

    Raises:
        FileNotFoundError: there are such names.
    """
    missing = [str(name) for name in names if name is not None and _is_missing(name)]
    if missing:
        raise FileNotFoundError(f"There is no file or folder {', '.join(missing)}.")


def _is_missing(name: str | Path) -> bool:
    weights = Path(name).suffix in (".pth", ".pt", ".bin", ".safetensors")
    return not Path(name).exists() and (weights or not may_be_hub_id(str(name)))
