"""Recipes: YAML files that configure a whole run."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from .recipe_keys import check_number, recipe_keys
from .recipe_paths import refuse_missing_paths
from .shipped import RECIPES, shipped


if TYPE_CHECKING:
    from .arguments import DataArguments, ModelArguments, SequenceArguments, StageArguments


@dataclass(frozen=True)
class Recipe:
    """A parsed recipe: its name, and its arguments for training, sequences, model and data."""

    name: str
    args: "StageArguments"
    sequence: "SequenceArguments"
    model: "ModelArguments"
    data: "DataArguments"


def read_recipe(name: str | Path, **overrides) -> Recipe:
    """
    Read a recipe.

    Args:
        name (`str` or `Path`): the name of a shipped recipe (`stage1`, `stage2`, …) or the path of a YAML file.
        overrides: values that replace the recipe's, such as `output_dir`; texts are converted to the type of the key.

    Returns:
        `Recipe`: without an `output_dir` of its own it writes to `runs/<name>`.

    Raises:
        FileNotFoundError: there is no such recipe, or no such model or data.
        ValueError: a key is unknown, or a value is not of its type.
    """
    values = read_values(name, **overrides)
    from .recipe_values import parse  # imports torch: whatever can be refused before has been

    return Recipe(Path(name).stem, *parse(values))


def read_values(name: str | Path, **overrides) -> dict:
    """
    The values of a recipe by key, not parsed. Nothing heavy is imported.

    Args, Raises: as for [`read_recipe`].
    """
    path = find_recipe(name)
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a recipe: it must be a mapping, with 'key: value' on each line.")
    if "trust_remote_code" in content:
        raise ValueError(f"{path} sets trust_remote_code, which only the command can: --trust-remote-code.")
    values = {"output_dir": f"runs/{path.stem}", **content, **overrides}
    _check_keys(values, str(name))
    refuse_missing_paths(values)
    return values


def find_recipe(name: str | Path) -> Path:
    """
    The file of a recipe.

    Raises:
        FileNotFoundError: there is no such recipe.
    """
    own = Path(name).suffix in (".yaml", ".yml")
    path = Path(name) if own else shipped(RECIPES).get(str(name))
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f"There is no recipe {str(name)!r}: give a YAML file, or one of {', '.join(shipped_recipes())}."
        )
    return path


def _check_keys(values: dict, source: str) -> None:
    known = recipe_keys()
    for key, value in values.items():
        if key not in known:
            close = get_close_matches(str(key), known, n=1)
            hint = f": did you mean {close[0]!r}?" if close else "; see the docstrings of minigpt4.training.arguments."
            raise ValueError(f"Recipe {source}: unknown key {key!r}{hint}")
        try:
            check_number(key, value, known[key])
        except ValueError as error:
            raise ValueError(f"Recipe {source}: {error}") from error


def load_recipe(name: str | Path, **overrides) -> "tuple[StageArguments, SequenceArguments]":
    """The part of [`read_recipe`] that [`StageTrainer`] takes."""
    recipe = read_recipe(name, **overrides)
    return recipe.args, recipe.sequence


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    return [*shipped(RECIPES)]


def parse_overrides(settings: Sequence[str]) -> dict:
    """
    Read `key=value` texts. A value in brackets, braces or quotes is YAML; any other stays a text, for the type of its
    key to convert.

    Raises:
        ValueError: a text without `=`.
    """
    overrides = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise ValueError(f"--set {setting!r} is not of the form key=value.")
        overrides[key.strip()] = yaml.safe_load(value) if value[:1] in ("[", "{", '"', "'") else value
    return overrides
