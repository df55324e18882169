"""How the page shows the tasks that a checkpoint knows by a word in square brackets."""

from dataclasses import dataclass

from minigpt4.processing.tasks import TASKS, Task


@dataclass(frozen=True)
class ShownTask:
    """
    How the page offers one task.

    Args:
        label (`str`): what the page calls it.
        wording (`Task`): how the model is asked; `{}` is what the user writes, or the box.
        hint (`str`): what to write.
        takes_box (`bool`): whether `{}` is a box that the user draws.
    """

    label: str
    wording: Task
    hint: str = ""
    takes_box: bool = False


_SHOWN = {
    "vqa": ShownTask("short answer", TASKS["vqa"], hint="Your question about the picture"),
    "caption": ShownTask("caption", TASKS["caption"]),
    "grounding": ShownTask("describe with boxes", TASKS["grounding"]),
    "refer": ShownTask("find one thing", TASKS["refer"], hint="What to find: the red cup"),
    "identify": ShownTask("what is in a box", TASKS["identify"], hint="Draw a box, then send", takes_box=True),
    "detection": ShownTask("find all of a kind", TASKS["detection"], hint="What to find: cups"),
}


def known_tasks(identifiers: list[str]) -> dict[str, ShownTask]:
    """The tasks of a checkpoint whose processor has these `task_identifiers`, by identifier."""
    return {name: _SHOWN.get(name) or _unknown(name) for name in identifiers}


def _unknown(name: str) -> ShownTask:
    return ShownTask(name, Task((), f"[{name}] {{}}"), hint="Your instruction")
