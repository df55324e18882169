"""nano-v2 from nothing: its parts from scratch, the three stages of MiniGPT-v2, and the finished folder.

Every step leaves its result in a folder beside the output, and is skipped if its result exists."""

import shutil
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from minigpt4.evaluation.scenes.boxed import evaluate_tasks
from minigpt4.training.nano.steps import SCORES, claim, load, make_side_by_side, scores_of, side_by_side
from minigpt4.training.nano.tokenizer import train_tokenizer

from .alignment import StepReports, assemble, run_stage, without_identifiers
from .corpus import WORDS_AND_MARKS, vocabulary_texts
from .language import pretrain_language_model
from .model_card import REPEATED, WITH, WITHOUT, write_card
from .settings import NanoV2Recipe
from .vision import pretrain_tower


TOWER, LANGUAGE_MODEL, START = "tower.safetensors", "language_model", "assembled"


def build_nano_v2(
    output: str | Path, seed: int = 0, recipe: NanoV2Recipe | None = None, scenes: int = 1000, repeats: int = 0
) -> dict[str, dict]:
    """Make nano-v2 from `seed` and save it, complete, in the folder `output`: under two hours on two CPU cores.

    Vision tower and language model learn side by side, each on one core; then projection and LoRA learn in the three
    stages, between the others, which are frozen. Progress bars go to stderr. What each step made is kept in
    `<output>.steps`, so that an interrupted build resumes from there: pretraining where it was two minutes before, a stage
    from its beginning. In it, `stage3/kept` is the model with its LoRA as an adapter. Delete that folder when you are done.

    Args:
        output: a folder that does not exist yet, or is empty.
        seed: decides the weights, the pictures, and their order.
        recipe: numbers of steps and learning rates; default: those of the shipped nano-v2. `seed` replaces its seed.
        scenes: how many held-out scenes nano-v2 is measured on, after each stage.
        repeats: with how many further seeds the three stages are run on the same frozen parts, for the card. With any, stage 2
            alone is also run with identifiers and without. Another half an hour for two.

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
    scores = _align(recipe, steps, scenes, repeats)
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


def _align(recipe: NanoV2Recipe, steps: Path, scenes: int, repeats: int) -> dict[str, dict]:
    """The scores of the three stages; and if they are repeated, of that and of stage 2 alone, with identifiers and without, all
    on the same frozen parts."""
    others: dict[str, Callable[[], dict]] = {}
    if repeats:
        for seed in range(recipe.seed + 1, recipe.seed + 1 + repeats):
            others[REPEATED.format(seed)] = partial(_repeated, replace(recipe, seed=seed), steps, scenes)
        alone = partial(_made, steps, name=recipe.stage2, start=steps / START, seed=recipe.seed, scenes=scenes)
        plain = {"identifiers": False, "data": without_identifiers(recipe.stage2)}
        others |= {WITH: partial(alone, "with-identifiers"), WITHOUT: partial(alone, "without-identifiers", **plain)}
    own, *compared = side_by_side([partial(_stages, recipe, steps, "", scenes), *others.values()])
    return own | dict(zip(others, compared, strict=True))


def _repeated(recipe: NanoV2Recipe, steps: Path, scenes: int) -> dict:
    return _stages(recipe, steps, f"seed{recipe.seed}/", scenes)["stage3"]


def _stages(recipe: NanoV2Recipe, steps: Path, place: str, scenes: int) -> dict[str, dict]:
    """Run the three stages, each on what the one before left, and measure what each makes."""
    scores, start = {}, steps / START
    for number, name in enumerate((recipe.stage1, recipe.stage2, recipe.stage3), 1):
        result = f"{place}stage{number}"
        scores[f"stage{number}"] = _made(steps, result, name=name, start=start, seed=recipe.seed, scenes=scenes)
        start = steps / result / "kept"
    return scores


def _made(
    steps: Path,
    result: str,
    *,
    name: str,
    start: Path,
    seed: int,
    scenes: int,
    identifiers: bool = True,
    **settings: Any,
) -> dict:
    """Train by the recipe `name` into the folder `result` of `steps`, if that was not done yet, and return the scores."""
    folder = steps / result
    if not folder.exists():
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        with (part / "log").open("w") as log, redirect_stdout(log):
            run_stage(name, start, seed, part, StepReports(result), **settings)
        part.rename(folder)
    merged = folder / "merged"
    return scores_of(merged, lambda: evaluate_tasks(*load(merged), scenes=scenes, identifiers=identifiers))
