"""Evaluation on held-out scenes with boxes: one request of each task about every scene."""

import random
from itertools import islice

from transformers import PreTrainedModel, ProcessorMixin

from minigpt4.evaluation.scenes.answers import answer_all
from minigpt4.processing.tasks import TASKS

from .drawing import draw_boxed
from .scoring import score_answer, summarise_tasks
from .wording import request
from .world import sample_boxed_scenes


ROOM = 1.25  # tokens that an answer may have, for each of the longest right one


def evaluate_tasks(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    scenes: int = 1000,
    seed: int = 0,
    batch_size: int = 32,
    identifiers: bool = True,
) -> dict:
    """
    Ask a model for each of MiniGPT-v2's tasks about held-out scenes with boxes, greedily.

    Args: as [`~minigpt4.evaluation.scenes.evaluate_scenes`].

    Returns:
        `dict`: plain values: `scenes`, `seed`, `identifiers`, and what [`summarise_tasks`] gives.
    """
    rng = random.Random(f"evaluation {seed}")
    held_out = list(islice(sample_boxed_scenes(f"evaluation {seed}", held_out=True), scenes))
    pictures = [draw_boxed(scene, rng) for scene in held_out]
    requests, scores = [], []
    asked = {task: [request(scene, task, rng) for scene in held_out] for task in TASKS}
    lengths = {
        task: max(
            map(len, processor.tokenizer([each.answer for each in wanted], add_special_tokens=False)["input_ids"])
        )
        for task, wanted in asked.items()
    }
    for task, wanted in asked.items():
        # Task by task: answers of one task are alike in length.
        texts = [each.instruction if identifiers else each.words for each in wanted]
        # Without its identifier a request may be answered in the form of any task.
        room = int(ROOM * (lengths[task] if identifiers else max(lengths.values()))) + 2
        made = answer_all(model, processor, pictures, texts, batch_size, f"[{task}]", room)
        requests += wanted
        scores += [
            score_answer(scene, each, answer.text, answer.finished)
            for scene, each, answer in zip(held_out, wanted, made, strict=True)
        ]
    return {"scenes": scenes, "seed": seed, "identifiers": identifiers, **summarise_tasks(requests, scores)}


__all__ = ["evaluate_tasks"]
