"""What the builds of the embedded models share: their steps leave what they made beside the output, and are not done twice."""

import json
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
from minigpt4.processing import MiniGPT4Processor

from .pretraining import keep_freed_memory
from .progress import report_to, shown


SCORES = "scores.json"


def claim(output: Path, recipe) -> tuple[Path, Path]:
    """
    The output, and the folder of the steps beside it, with a note of the recipe (a dataclass) by which they are made.

    Raises:
        FileExistsError: `output` has files in it.
        ValueError: the steps there were made by another recipe.
    """
    if output.exists() and any(output.iterdir()):
        raise FileExistsError(f"{output} is not empty: give a new folder for nano.")
    steps = output.with_name(f"{output.name}.steps")
    steps.mkdir(parents=True, exist_ok=True)
    note, settings = steps / "recipe.json", json.dumps(asdict(recipe), indent=2)
    if note.exists() and note.read_text() != settings:
        raise ValueError(
            f"{steps} contains steps made from another seed or recipe: delete it, or choose another output."
        )
    note.write_text(settings)
    return output, steps


def make_side_by_side(makers: Mapping[str, Callable], recipe, steps: Path) -> None:
    """Call the makers whose results are not in `steps` yet with `recipe` and `steps`, [`side_by_side`]."""
    missing = [partial(maker, recipe, steps) for result, maker in makers.items() if not (steps / result).exists()]
    if missing:
        side_by_side(missing)


def side_by_side(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """What the jobs return, two of them at a time, in processes of one thread each: on matrices of this size a second thread
    helps little."""
    context = multiprocessing.get_context("spawn")
    reports = context.SimpleQueue()
    with (
        shown(reports),
        ProcessPoolExecutor(2, context, initializer=_start_worker, initargs=(reports,)) as pool,
    ):
        return [job.result() for job in [pool.submit(job) for job in jobs]]


def _start_worker(reports) -> None:
    report_to(reports)
    torch.set_num_threads(1)
    keep_freed_memory()


def scores_of(folder: Path, measure: Callable[[], dict]) -> dict:
    """The scores noted in `folder`, measured if there are none."""
    note = folder / SCORES
    if not note.exists():
        note.write_text(json.dumps(measure(), indent=2))
    return json.loads(note.read_text())


def load(folder: Path) -> tuple[MiniGPT4ForConditionalGeneration, MiniGPT4Processor]:
    """Model and processor of a step."""
    model = AutoModelForImageTextToText.from_pretrained(folder)
    return model.eval(), AutoProcessor.from_pretrained(folder)
