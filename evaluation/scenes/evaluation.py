"""Evaluation on held-out scenes, of the world that the model knows."""

from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from transformers import PreTrainedModel, ProcessorMixin

from minigpt4.evaluation.running.run import run_task
from minigpt4.evaluation.tasks.scenes import scene_tasks
from minigpt4.inference.asking import Asker

from .boxed.evaluation import evaluate_tasks
from .boxed.forms import FORMS
from .scoring import score_rows
from .wording import QUESTION_KINDS


def evaluate_scenes(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    scenes: int = 1000,
    seed: int = 0,
    batch_size: int = 32,
    identifiers: bool = True,
) -> dict:
    """
    Have a model describe held-out scenes and answer four questions about each, greedily, in the chat form; one that was
    saved with MiniGPT-v2's tasks is asked for each of them about scenes with boxes.

    Progress bars go to stderr.

    Args:
        model (`PreTrainedModel`): a MiniGPT-4.
        processor (`ProcessorMixin`): the model's.
        scenes (`int`, defaults to 1000): the number of scenes.
        seed (`int`, defaults to 0): decides pictures, instructions and questions.
        batch_size (`int`, defaults to 32): answers at a time.
        identifiers (`bool`, defaults to `True`): without them the same requests are made without `[refer]` and so on.

    Returns:
        `dict`: plain values: `scenes`, `seed`, `descriptions` (see `summarise_descriptions`) and `questions`, which has
        the shares answered correctly as `all` and `by_kind`. With tasks: see [`evaluate_tasks`].

    Raises:
        ValueError: identifiers are to be left out, and the model has none.
    """
    if processor.task_identifiers:
        return evaluate_tasks(model, processor, scenes, seed, batch_size, identifiers)
    if not identifiers:
        raise ValueError("The model was saved without task identifiers: there are none to leave out.")
    asker = Asker(model, processor)
    descriptions, questions = (
        run_task(task, asker, Path(), model="", batch_size=batch_size) for task in scene_tasks(scenes, seed)
    )
    right = defaultdict(list)
    for sample in questions.samples:
        right[sample["kind"]].append(sample["scores"]["score"])
    return {
        "scenes": scenes,
        "seed": seed,
        "descriptions": {name: value for name, value in descriptions.figures.items() if name != "n"},
        "questions": {
            "all": questions.figures["accuracy"],
            "by_kind": {kind: sum(right[kind]) / len(right[kind]) for kind in QUESTION_KINDS if right[kind]},
        },
    }


def print_scores(scores: dict, console: Console | None = None) -> None:
    """Print the result of `evaluate_scenes` as a table, in per cent; without identifiers also in which form answers came."""
    console = console or Console()
    without = "" if scores.get("identifiers", True) else ", without identifiers"
    table = Table("measure", "per cent", title=f"{scores['scenes']} held-out scenes, seed {scores['seed']}{without}")
    table.columns[1].justify = "right"
    for name, value in score_rows(scores):
        table.add_row(escape(name), f"{100 * value:.1f}")
    console.print(table)
    if without:
        console.print(_forms_table(scores["forms"]))


def _forms_table(forms: dict) -> Table:
    table = Table("asked for", *FORMS, title="Form of the answers, in per cent of the requests of a task")
    for task, shares in forms.items():
        table.add_row(task, *(f"{100 * shares[form]:.0f}" for form in FORMS))
    return table
