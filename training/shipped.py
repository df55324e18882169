"""The YAML files that come with the package: recipes, and configurations for `accelerate launch`."""

from pathlib import Path


RECIPES = Path(__file__).parent / "recipes"
ACCELERATE = Path(__file__).parent / "accelerate"


def shipped(folder: Path) -> dict[str, Path]:
    """The files of `RECIPES` or `ACCELERATE` by name, in the order of the names."""
    return {file.stem: file for file in sorted(folder.glob("*.yaml"), key=lambda file: file.stem)}


def summary(file: Path) -> str:
    """The first sentence of the comment at the top of a file."""
    first, _, _ = file.read_text(encoding="utf-8").partition("\n")
    return first.removeprefix("# ").partition(". ")[0].removesuffix(".")
