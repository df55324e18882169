"""Evaluation on held-out scenes: the model describes them and answers questions, and is scored."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

from PIL import Image
from rich.console import Console
from rich.table import Table
from tqdm.auto import tqdm
from transformers import PreTrainedModel, ProcessorMixin

from minigpt4.inference.answering import answer
from minigpt4.inference.turns import Answer, user_turn

from .drawing import draw
from .scoring import answer_is_right, score_description, score_rows, summarise_descriptions
from .wording import DETAIL_INSTRUCTIONS, QUESTION_KINDS, Question, ask
from .world import Scene, sample_scenes


QUESTIONS_PER_SCENE = 4
MAX_NEW_TOKENS = 120  # the longest correct description has 73 of nano's tokens


def evaluate_scenes(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    scenes: int = 1000,
    seed: int = 0,
    batch_size: int = 32,
) -> dict:
    """
    Have a model describe held-out scenes and answer four questions about each, greedily, in the chat form.

    The kinds of question take turns, so that each is asked equally often. Progress bars go to stderr.

    Args:
        model (`PreTrainedModel`): a MiniGPT-4.
        processor (`ProcessorMixin`): the model's.
        scenes (`int`, defaults to 1000): the number of scenes.
        seed (`int`, defaults to 0): decides pictures, instructions and questions.
        batch_size (`int`, defaults to 32): answers at a time.

    Returns:
        `dict`: plain values: `scenes`, `seed`, `descriptions` (see `summarise_descriptions`) and `questions`, which has
        the shares answered correctly as `all` and `by_kind`.
    """
    rng = random.Random(f"evaluation {seed}")
    held_out = list(islice(sample_scenes(f"evaluation {seed}", held_out=True), scenes))
    pictures = [draw(scene, rng=rng) for scene in held_out]

    instructions = [rng.choice(DETAIL_INSTRUCTIONS) for _ in held_out]
    descriptions = answer_all(model, processor, pictures, instructions, batch_size, "descriptions")
    scores = [
        score_description(scene, made.text, made.finished) for scene, made in zip(held_out, descriptions, strict=True)
    ]

    asked = [(i, question) for i, scene in enumerate(held_out) for question in _questions(scene, i, rng)]
    answers = answer_all(
        model, processor, [pictures[i] for i, _ in asked], [q.text for _, q in asked], batch_size, "questions"
    )
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


def _questions(scene: Scene, index: int, rng: random.Random) -> Iterator[Question]:
    for turn in range(QUESTIONS_PER_SCENE):
        yield ask(scene, QUESTION_KINDS[(index * QUESTIONS_PER_SCENE + turn) % len(QUESTION_KINDS)], rng)


def answer_all(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    pictures: Sequence[Image.Image],
    requests: Sequence[str],
    batch_size: int,
    title: str,
) -> list[Answer]:
    """The greedy answers to `requests`, one picture each, without their end mark."""
    # Requests of one length are mostly alike, and so are their answers: a batch takes as long as its longest row.
    order = sorted(range(len(requests)), key=lambda index: len(requests[index]))
    answers: dict[int, Answer] = {}
    with tqdm(total=len(requests), desc=title, unit="answer", dynamic_ncols=True) as progress:
        for start in range(0, len(requests), batch_size):
            batch = order[start : start + batch_size]
            chats = [[user_turn(requests[index], pictures[index])] for index in batch]
            made = answer(model, processor, chats, do_sample=False, max_new_tokens=MAX_NEW_TOKENS)
            answers.update(zip(batch, made, strict=True))
            progress.update(len(batch))
    return [answers[index] for index in range(len(requests))]


def print_scores(scores: dict, console: Console | None = None) -> None:
    """Print the result of `evaluate_scenes` as a table, in per cent."""
    table = Table("measure", "per cent", title=f"{scores['scenes']} held-out scenes, seed {scores['seed']}")
    table.columns[1].justify = "right"
    for name, value in score_rows(scores):
        table.add_row(name, f"{100 * value:.1f}")
    (console or Console()).print(table)


__all__ = ["answer_all", "evaluate_scenes", "print_scores"]
