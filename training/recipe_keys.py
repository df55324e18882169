"""The keys of recipes, read from the sources of the classes whose fields they are: importing those takes torch, and seconds."""

import ast
import re
from importlib.util import find_spec
from pathlib import Path


OURS = Path(__file__).parent


def recipe_keys() -> dict[str, str]:
    """Every key that a recipe may have, with the type that its source names: `float | None`."""
    sources = {
        OURS / "arguments.py": {"StageArguments", "SequenceArguments", "ModelArguments", "DataArguments"},
        _package("transformers") / "training_args.py": {"TrainingArguments"},
        _package("trl") / "trainer" / "model_config.py": {"ModelConfig"},
    }
    return {
        field.target.id: ast.unparse(field.annotation)
        for source, classes in sources.items()
        for node in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name in classes
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }


def check_number(key: str, value: object, kind: str) -> None:
    """
    Refuse a text for a key whose type is a number.

    Args:
        key (`str`): of a recipe.
        value (`object`): what it is to be.
        kind (`str`): the type of the key, as in [`recipe_keys`].

    Raises:
        ValueError: it is no number.
    """
    kinds = set(re.findall(r"\w+", kind)) - {"None", "Optional"}
    if not isinstance(value, str) or not kinds or not kinds <= {"int", "float"}:
        return
    try:
        float(value) if "float" in kinds else int(value)
    except ValueError as error:
        number = "a number" if "float" in kinds else "a whole number"
        raise ValueError(f"{key} must be {number} (got {value!r})") from error


def _package(name: str) -> Path:
    """Folder of a package that is not imported for it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"training needs {name}: run pip install {name}")
    return Path(spec.origin).parent
