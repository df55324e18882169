"""How the page shows the tasks that a checkpoint knows by a word in square brackets."""

import json
import re
from dataclasses import dataclass

from minigpt4.app.drawn_component import read
from minigpt4.processing.tasks import TASKS


@dataclass(frozen=True)
class ShownTask:
    """
    How the page offers one task.

    Args:
        label (`str`): what the page calls it.
        start (`str`): what the text for the model begins with.
        default (`str`): what follows where the user writes nothing.
        hint (`str`): what to write.
        takes_box (`bool`): whether a box that the user draws comes last.
    """

    label: str
    start: str
    default: str = ""
    hint: str = ""
    takes_box: bool = False


def known_tasks(identifiers: list[str]) -> dict[str, ShownTask]:
    """The tasks of a checkpoint whose processor has these `task_identifiers`, by identifier."""
    return {name: _SHOWN.get(name) or ShownTask(name, f"[{name}] ", hint="Your instruction") for name in identifiers}


def task_of(text: str) -> str:
    """The identifier that a text begins with; `""` for none."""
    found = re.match(r"\s*\[(\w+)\]", text)
    return found[1] if found else ""


def task_text(tasks: dict[str, ShownTask]) -> str:
    """JavaScript that words the text in the textbox for the task that was chosen; the user's own words stay."""
    wordings = {name: [task.start, task.default] for name, task in tasks.items()}
    return f"(message, task) => {{ const wordings = {json.dumps(wordings)};\n{read('task_text.js')} }}"


def _asked(name: str, label: str, hint: str = "") -> ShownTask:
    return ShownTask(label, TASKS[name].asked.partition("{}")[0], TASKS[name].default, hint)


def _about_a_box(name: str, label: str) -> ShownTask:
    """Its words come before the box."""
    start, _, words = TASKS[name].asked.partition("{}")[0].strip().partition(" ")
    return ShownTask(label, f"{start} ", words, takes_box=True)


_SHOWN = {
    "vqa": _asked("vqa", "Short answer", hint="Write a question about the picture."),
    "caption": _asked("caption", "Caption"),
    "grounding": _asked("grounding", "Describe with boxes"),
    "refer": _asked("refer", "Find one thing", hint="Write what to find: the red cup."),
    "identify": _about_a_box("identify", "What is in a box"),
    "detection": _asked("detection", "Find all", hint="Write what to find: cups."),
}
