"""nano-v2 from nothing: its parts from scratch, the three stages of MiniGPT-v2, and the finished folder.

Every step leaves its result in a folder beside the output, and is skipped if its result exists."""

import shutil
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from minigpt4.evaluation.scenes.boxed import evaluate_tasks
from minigpt4.training.nano.pretraining import keep_freed_memory
from minigpt4.training.nano.steps import SCORES, claim, load, make_side_by_side, scores_of
from minigpt4.training.nano.tokenizer import train_tokenizer

from .alignment import assemble, run_stage
from .corpus import WORDS_AND_MARKS, vocabulary_texts
from .language import pretrain_language_model
from .model_card import write_card
from .settings import NanoV2Recipe
from .vision import pretrain_tower


TOWER, LANGUAGE_MODEL, START = "tower.safetensors", "language_model", "assembled"
STAGES = (1, 2, 3)


def build_nano_v2(output: str | Path, seed: int = 0, recipe: NanoV2Recipe | None = None, scenes: int = 1000) -> dict:
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

    Returns the scores of `evaluate_tasks` under `stage1`, `stage2` and `stage3`; they stand in the card, too.

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
    scores = {f"stage{stage}": _stage(stage, recipe, steps, scenes) for stage in STAGES}
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


def _stage(stage: int, recipe: NanoV2Recipe, steps: Path, scenes: int) -> dict:
    """Run a stage on what the step before it left, measure the result, and return its scores."""
    folder, part = steps / f"stage{stage}", steps / f"stage{stage}.part"
    start = steps / START if stage == 1 else steps / f"stage{stage - 1}" / "kept"
    if not folder.exists():
        shutil.rmtree(part, ignore_errors=True)
        run_stage(stage, start, recipe, part / "learned", part / "kept", part / "merged")
        part.rename(folder)
    return scores_of(folder / "merged", lambda: evaluate_tasks(*load(folder / "merged"), scenes=scenes))
