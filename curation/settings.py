"""With which settings each step of a table was begun: what was made with others is not mixed with it."""

import json
from pathlib import Path

from minigpt4.checkpoints.writing import unfinished_file

from .recipe import Section


SETTINGS = "settings.json"
# How fast a step works, what it costs and where it asks: another value of these leaves its results as good as they were.
WITHOUT_EFFECT = {
    *("batch_size", "concurrency", "retries", "timeout", "requests_per_minute", "price", "licence", "key_variable"),
    *("double_check", "reviewer", "endpoint"),
}


def settings_of(section: Section | None) -> dict:
    """What decides the result of a part of the recipe."""
    return {} if section is None else section.model_dump(mode="json", by_alias=True, exclude=WITHOUT_EFFECT)


def read_settings(folder: Path) -> dict[str, dict]:
    file = folder / SETTINGS
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def write_settings(folder: Path, settings: dict[str, dict]) -> None:
    with unfinished_file(folder / SETTINGS) as part:
        part.write_text(json.dumps(settings, indent=2, ensure_ascii=False), encoding="utf-8")


def refuse_change(folder: Path, name: str, known: dict[str, dict], section: Section) -> None:
    """
    Raises:
        ValueError: the step `name` was begun with other settings than `section` has.
    """
    settings = settings_of(section)
    if known.get(name, settings) != settings:
        changed = [key for key in settings if settings[key] != known[name].get(key)]
        hint = "use another output" if name == "source" else f"do it again with --redo {name}, or use another output"
        raise ValueError(f"{folder}: {name} was begun with another {', '.join(changed)}: {hint}.")
