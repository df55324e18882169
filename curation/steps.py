"""Running the steps: each does what is not done yet, and closes with its counts."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from huggingface_hub.utils import WeakFileLock

from .recipe import STEPS, Recipe, check_steps
from .settings import read_settings, refuse_change, settings_of, write_settings
from .sharding import part_of, shard_folder
from .sources import draw_sample, root_of
from .table import TABLE, WORKING, Count, Table
from .work import Work


# Where the work of each step is: `work(Work)` writes to the journal; `settled`, where there is one, makes entries of it.
HOMES = {
    "generate": ".generating",
    "continue": ".continuing",
    "mend": ".mending",
    "filter": ".filtering",
    "review": ".review.deciding",
}
BY_SEVERAL_PROCESSES = ("generate", "continue")


def run(
    recipe: Recipe,
    steps: Sequence[str] = (),
    *,
    shard: str | None = None,
    redo: bool = False,
    review: Callable[[Work], None] | None = None,
    trust_remote_code: bool = False,
    where: Callable[[str], str] = str,
) -> Iterator[tuple[str, Count | None]]:
    """
    Run steps of a recipe; export is the caller's.

    What was done before is kept: a run that was killed at any time continues where it was. Under `accelerate launch` all
    processes generate and continue; the first alone does the rest.

    Args:
        recipe ([`Recipe`]): from [`read_recipe`].
        steps (`Sequence[str]`, *optional*): those to run; default: all that the recipe has.
        shard (`str`, *optional*): `K/N`: work on the K-th of N parts of the sample, in a folder of its own.
        redo (`bool`): forget what the steps, and those after them, have done before.
        review (`Callable[[Work], None]`, *optional*): shows rows to a reviewer, and returns when that is over.
        trust_remote_code (`bool`): run code that comes with a model.
        where (`Callable[[str], str]`, *optional*, defaults to `str`):
            From the name of a model that describes to its folder or Hub id; default: it is one.

    Returns:
        Each step with its counts when it is finished, or with `None` where the recipe reaches export.

    Raises:
        ValueError: a step was begun with other settings, or is not in the recipe.
        FileExistsError: another run is working on the same table.
    """
    wanted = check_steps(recipe, steps)
    folder = shard_folder(recipe, shard)
    process, processes, wait = _processes(wanted)
    if process and {*wanted}.isdisjoint(BY_SEVERAL_PROCESSES):
        return  # the first process alone does what the others cannot share
    with ExitStack() as stack:
        if process == 0:
            folder.mkdir(parents=True, exist_ok=True)
            _lock(folder, stack)
            _begin(recipe, wanted, folder, shard, redo)
        wait()
        table = Table.open(folder, recipe.steps)
        for step in wanted:
            if step == "export":
                yield step, None
                continue
            if process and step not in BY_SEVERAL_PROCESSES:
                return
            work = Work(
                step,
                recipe.section(step),
                table,
                root_of(recipe.source, folder),
                table.unsaved(step),
                table.journal(step, process),
                recipe,
                process,
                processes if step in BY_SEVERAL_PROCESSES else 1,
                trust_remote_code,
                where,
            )
            wait()  # until all have read what was there before
            _do(work, review, of_all_shards=shard is not None)
            wait()
            if process == 0:
                _settle(work)
                yield step, table.count(step)
            wait()
            table = table if process == 0 else Table.open(folder, recipe.steps)


def _processes(steps: Sequence[str]) -> tuple[int, int, Callable[[], None]]:
    """Number of this process, how many there are, and how to wait for the others."""
    if {*steps}.isdisjoint(BY_SEVERAL_PROCESSES):
        return int(os.environ.get("RANK", 0)), 1, lambda: None
    import torch
    from accelerate import PartialState

    state = PartialState(
        cpu=not torch.accelerator.is_available()
    )  # else processes without one do not know of each other
    return state.process_index, state.num_processes, state.wait_for_everyone


def _lock(folder: Path, stack: ExitStack) -> None:
    try:
        stack.enter_context(WeakFileLock(folder / ".lock", timeout=0.1))
    except TimeoutError as error:
        raise FileExistsError(f"Another run is working on {folder}: wait for it.") from error


def _begin(recipe: Recipe, steps: Sequence[str], folder: Path, shard: str | None, redo: bool) -> None:
    """Make the table where there is none, and refuse to mix what was made with different settings."""
    known = read_settings(folder)
    refuse_change(folder, "source", known, recipe.source)
    if not (folder / TABLE).is_file():
        if "generate" not in steps:
            raise FileNotFoundError(f"{folder} has no {TABLE}: run generate first.")
        rows = draw_sample(recipe.source, folder)
        if shard is not None:
            number, shards = part_of(shard)
            rows = rows[number - 1 :: shards]
        write_settings(folder, {"source": settings_of(recipe.source)})
        Table(folder, rows).save()
    elif redo:
        first = min(STEPS.index(step) for step in steps)
        Table.open(folder, recipe.steps).clear(WORKING[first:])
        known = {name: value for name, value in known.items() if name not in STEPS[first:]}
        write_settings(folder, known)
    known = read_settings(folder)
    for step in steps:
        if step in WORKING:
            if step == "filter" and known.get(step) != settings_of(recipe.filter):
                Table.open(folder, recipe.steps).clear(
                    [step]
                )  # it takes seconds, and what it drops can be undone by other rules
            else:
                refuse_change(folder, step, known, recipe.section(step))
            known[step] = settings_of(recipe.section(step))
    write_settings(folder, known)


def _do(work: Work, review: Callable[[Work], None] | None, of_all_shards: bool) -> None:
    table, step = work.table, work.step
    waited_for = [name for name in STEPS[: STEPS.index(step)] if name in table.steps and table.count(name).waiting]
    if waited_for and not table.arriving(step):
        raise ValueError(f"No row has come to {step} yet: run {waited_for[0]} first.")
    if work.section.from_ is not None:
        if work.process == 0:
            prompt = getattr(work.section, "prompt", None) or ""
            work.write(dict(table.read_jsonl(step, Path(work.section.from_), prompt, of_all_shards)))
    elif work.step == "review":
        if review is not None:
            review(work)
    elif work.todo():
        import_module(HOMES[work.step], __package__).work(work)


def _settle(work: Work) -> None:
    lines = work.table.unsaved(work.step)
    home = import_module(HOMES[work.step], __package__) if work.step in HOMES else None
    settled = getattr(home, "settled", None) if work.section.from_ is None else None
    work.table.settle(work.step, lines if settled is None else settled(work, lines))
