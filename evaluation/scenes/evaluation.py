"""Evaluation on held-out scenes, of the world that the model knows."""

import random
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

from PIL import Image
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from transformers import PreTrainedModel, ProcessorMixin

from .answers import answer_all
from .boxed.evaluation import evaluate_tasks
from .boxed.forms import FORMS
from .drawing import draw
from .scoring import answer_is_right, score_description, score_rows, summarise_descriptions
from .wording import DETAIL_INSTRUCTIONS, MAX_NEW_TOKENS, QUESTION_KINDS, Question, ask
from .world import Scene, sample_scenes


QUESTIONS_PER_SCENE = 4


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

    The kinds of question take turns, so that each is asked equally often. Progress bars go to stderr.

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
    held_out, pictures, instructions, asked = requests(scenes, seed)
    descriptions = answer_all(model, processor, pictures, instructions, batch_size, "descriptions", MAX_NEW_TOKENS)
    scores = [
        score_description(scene, made.text, made.finished) for scene, made in zip(held_out, descriptions, strict=True)
    ]

    texts, shown = [question.text for _, question in asked], [pictures[i] for i, _ in asked]
    answers = answer_all(model, processor, shown, texts, batch_size, "questions", MAX_NEW_TOKENS)
    right = defaultdict(list)
    for (_, question), made in zip(asked, answers, strict=True):
        right[question.kind].append(answer_is_right(question, made.text))
    everything = [value for values in right.values() for value in values]
    return {
        "scenes": scenes,
        "seed": seed,
        "descriptions": summarise_descriptions(scores),
        "questions": {
            "all": sum(everything) / len(everything),
            "by_kind": {kind: sum(right[kind]) / len(right[kind]) for kind in QUESTION_KINDS if right[kind]},
        },
    }


def requests(scenes: int, seed: int) -> tuple[list[Scene], list[Image.Image], list[str], list[tuple[int, Question]]]:
    """Held-out scenes, their pictures, an instruction to describe each, and the questions, each with the number of its scene."""
    rng = random.Random(f"evaluation {seed}")
    held_out = list(islice(sample_scenes(f"evaluation {seed}", held_out=True), scenes))
    pictures = [draw(scene, rng=rng) for scene in held_out]
    instructions = [rng.choice(DETAIL_INSTRUCTIONS) for _ in held_out]
    asked = [(i, question) for i, scene in enumerate(held_out) for question in _questions(scene, i, rng)]
    return held_out, pictures, instructions, asked


def _questions(scene: Scene, index: int, rng: random.Random) -> Iterator[Question]:
    for turn in range(QUESTIONS_PER_SCENE):
        yield ask(scene, QUESTION_KINDS[(index * QUESTIONS_PER_SCENE + turn) % len(QUESTION_KINDS)], rng)


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


__all__ = ["evaluate_scenes", "print_scores", "requests"]
