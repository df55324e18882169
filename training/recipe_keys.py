"""The keys of recipes, read from the sources of the classes whose fields they are: importing those takes torch, and seconds."""

import ast
from importlib.util import find_spec
from pathlib import Path


OURS = Path(__file__).parent


def recipe_keys() -> set[str]:
    """Every key that a recipe may have."""
    sources = {
        OURS / "arguments.py": {"StageArguments", "SequenceArguments", "ModelArguments", "DataArguments"},
        _package("transformers") / "training_args.py": {"TrainingArguments"},
        _package("trl") / "trainer" / "model_config.py": {"ModelConfig"},
    }
    return {
        field.target.id
        for source, classes in sources.items()
        for node in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name in classes
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }


def _package(name: str) -> Path:
    """Folder of a package that is not imported for it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"training needs {name}: run pip install {name}")
    return Path(spec.origin).parent
