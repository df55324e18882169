"""All tasks by name: every file of this folder that has `TASKS`."""

from functools import cache
from importlib import import_module
from pathlib import Path

from .task import Task


@cache
def all_tasks() -> dict[str, Task]:
    """Every task by its name, in the order of the names of their files."""
    names = sorted(file.stem for file in Path(__file__).parent.glob("*.py") if file.stem != "__init__")
    modules = [import_module(f".{name}", __package__) for name in names]
    tasks = [task for module in modules for task in getattr(module, "TASKS", ())]
    return {task.name: task for task in tasks}


def find_tasks(*names: str) -> list[Task]:
    """
    The tasks of these names, each once.

    Args:
        names (`str`): of tasks or of groups, as `refcoco+`.

    Raises:
        ValueError: there is no such task.
    """
    tasks: dict[str, Task] = {}
    for name in names:
        found = [task for task in all_tasks().values() if name in (task.name, task.group)]
        if not found:
            known = dict.fromkeys(task.group or task.name for task in all_tasks().values())
            raise ValueError(f"There is no task {name!r}: choose from {', '.join(known)}.")
        tasks |= {task.name: task for task in found}
    return list(tasks.values())
