"""The checkpoints that the package carries: nano, a MiniGPT-4, and nano-v2, a MiniGPT-v2."""

from pathlib import Path


EMBEDDED = ("nano", "nano-v2")


def nano_path(version: str = "") -> Path:
    """
    Folder of an embedded checkpoint, for `from_pretrained`.

    Args:
        version (`str`, *optional*, defaults to `""`): `""` for nano, `"v2"` for nano-v2.

    Raises:
        FileNotFoundError: its files are not in this installation.
        ValueError: there is no such version.
    """
    name = f"nano-{version}" if version else "nano"
    if name not in EMBEDDED:
        raise ValueError(f"There is no embedded model {name!r}: choose one of {', '.join(EMBEDDED)}.")
    folder = Path(__file__).parent / name
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"{name} is not in this installation: make it with `minigpt4 train {name} --output {name}-model`, and give that folder."
        )
    return folder


def embedded(name: str | Path) -> str:
    """The folder of the embedded checkpoint called `name`; any other folder or Hub id as it is. Errors as `nano_path`."""
    name = str(name)
    first, _, version = name.partition("-")
    if name in EMBEDDED or (first == "nano" and "/" not in name and not Path(name).exists()):
        return str(nano_path(version))
    return name


def is_embedded(checkpoint: str | Path) -> bool:
    """Whether this is the folder of an embedded checkpoint."""
    return Path(checkpoint) in [Path(__file__).parent / name for name in EMBEDDED]
