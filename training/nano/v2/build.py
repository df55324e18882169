"""nano-v2 from nothing: its parts from scratch, the three stages of MiniGPT-v2, and the finished folder.

Every step leaves its result in a folder beside the output, and is skipped if its result exists."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from minigpt4.evaluation.scenes.boxed import evaluate_tasks
from minigpt4.training.nano.pretraining import keep_freed_memory
from minigpt4.training.nano.steps import SCORES, claim, load, make_side_by_side, scores_of
from minigpt4.training.nano.tokenizer import train_tokenizer

from .alignment import assemble, run_stage, without_identifiers
from .corpus import WORDS_AND_MARKS, vocabulary_texts
from .language import pretrain_language_model
from .model_card import REPEATED, WITH, WITHOUT, write_card
from .settings import NanoV2Recipe
from .vision import pretrain_tower


TOWER, LANGUAGE_MODEL, START = "tower.safetensors", "language_model", "assembled"


def build_nano_v2(
    output: str | Path, seed: int = 0, recipe: NanoV2Recipe | None = None, scenes: int = 1000, repeats: int = 2
) -> dict[str, dict]:
    """Make nano-v2 from `seed` and save it, complete, in the folder `output`: under two hours on two CPU cores.

    Vision tower and language model learn side by side, each on one core; then projection and LoRA learn in the three
    stages, between the others, which are frozen. For its card the stages are run with other seeds, too, and stage 2 without
    identifiers. Progress bars go to stderr. What each step made is kept in
    `<output>.steps`, so that an interrupted build resumes from there: pretraining where it was two minutes before, a stage
    from its beginning. In it, `stage3/kept` is the model with its LoRA as an adapter. Delete that folder when you are done.

    Args:
        output: a folder that does not exist yet, or is empty.
        seed: decides the weights, the pictures, and their order.
        recipe: numbers of steps and learning rates; default: those of the shipped nano-v2. `seed` replaces its seed.
        scenes: how many held-out scenes nano-v2 is measured on, after each stage.
        repeats: with how many further seeds the three stages are run on the same frozen parts.

    Returns the scores of `evaluate_tasks` under `stage1`, `stage2`, `stage3`, and the names in `model_card.py` of what is compared;
    they stand in the card, too.

    Raises `FileExistsError` for an `output` with files in it, and `ValueError` where the steps beside it were made from
    another seed or recipe."""
    recipe = replace(recipe or NanoV2Recipe(), seed=seed)
    output, steps = claim(Path(output), recipe)
    make_side_by_side({TOWER: _make_tower, LANGUAGE_MODEL: _make_language_model}, recipe, steps)
    if not (steps / START).exists():
        part = steps / f"{START}.part"
        assemble(steps / TOWER, steps / LANGUAGE_MODEL, recipe.seed, part)
        part.rename(steps / START)
    keep_freed_memory()
    torch.set_num_threads(1)  # on matrices of this size a second thread takes away more than it gives
    scores = _stages(recipe, steps / START, steps, scenes) | _compared(recipe, steps, scenes, repeats)
    final = steps / "stage3" / "merged"
    write_card(final, recipe, scores)
    shutil.copytree(final, output, dirs_exist_ok=True, ignore=shutil.ignore_patterns(SCORES))
    return scores


def _make_tower(recipe: NanoV2Recipe, steps: Path) -> None:
    tower = pretrain_tower(recipe, steps / "tower.kept")
    save_file(tower.state_dict(), steps / "tower.part")
    (steps / "tower.part").rename(steps / TOWER)


def _make_language_model(recipe: NanoV2Recipe, steps: Path) -> None:
    part = steps / "language_model.part"
    tokenizer = train_tokenizer(vocabulary_texts(), WORDS_AND_MARKS)
    pretrain_language_model(recipe, tokenizer, steps).save_pretrained(part)
    tokenizer.save_pretrained(part)
    part.rename(steps / LANGUAGE_MODEL)


def _stages(recipe: NanoV2Recipe, start: Path, folder: Path, scenes: int) -> dict[str, dict]:
    """Run the three stages, each on what the one before left, and measure what each makes."""
    scores = {}
    for number, name in enumerate((recipe.stage1, recipe.stage2, recipe.stage3), 1):
        scores[f"stage{number}"] = _made(folder / f"stage{number}", name, start, recipe.seed, scenes)
        start = folder / f"stage{number}" / "kept"
    return scores


def _compared(recipe: NanoV2Recipe, steps: Path, scenes: int, repeats: int) -> dict[str, dict]:
    """What there is to compare on the same frozen parts: the stages with other seeds, and stage 2 alone with identifiers and
    without."""
    scores = {}
    for seed in range(recipe.seed + 1, recipe.seed + 1 + repeats):
        again = _stages(replace(recipe, seed=seed), steps / START, steps / f"seed{seed}", scenes)
        scores[REPEATED.format(seed)] = again["stage3"]
    name, start = recipe.stage2, steps / START
    scores[WITH] = _made(steps / "with-identifiers", name, start, recipe.seed, scenes)
    plain = {"data": without_identifiers(name)}
    scores[WITHOUT] = _made(steps / "without-identifiers", name, start, recipe.seed, scenes, False, **plain)
    return scores


def _made(
    folder: Path, name: str, start: Path, seed: int, scenes: int, identifiers: bool = True, **settings: Any
) -> dict:
    """Train by the recipe `name` in `folder`, if that was not done yet, and return the scores."""
    if not folder.exists():
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        run_stage(name, start, seed, part, **settings)
        part.rename(folder)
    merged = folder / "merged"
    return scores_of(merged, lambda: evaluate_tasks(*load(merged), scenes=scenes, identifiers=identifiers))
