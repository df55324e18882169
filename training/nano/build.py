"""nano from nothing: its parts from scratch, the two stages of alignment, and the finished folder.

Every step leaves its result in a folder beside the output, and is skipped if its result exists."""

import shutil
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file

from minigpt4.evaluation.scenes import evaluate_scenes

from .alignment import assemble, run_stage
from .corpus import vocabulary_texts
from .language import pretrain_language_model
from .model_card import write_card
from .settings import NanoRecipe
from .steps import SCORES, claim, load, make_side_by_side, scores_of
from .tokenizer import train_tokenizer
from .vision import pretrain_towers


TOWERS, LANGUAGE_MODEL = "towers.safetensors", "language_model"


def build_nano(output: str | Path, seed: int = 0, recipe: NanoRecipe | None = None, scenes: int = 1000) -> dict:
    """
    Make nano from `seed` and save it, complete, in the folder `output`: some 45 minutes on two CPU cores.

    Vision and language model learn side by side, each on one core; then the projection alone learns, in stage 1 and
    stage 2, between the others, which are frozen. Progress bars go to stderr. What each step made is kept in
    `<output>.steps`, so that an interrupted build resumes from there; delete that folder when you are done.

    Args:
        output (`str` or `Path`): a folder that does not exist yet, or is empty.
        seed (`int`, *optional*, defaults to 0): decides the weights, the pictures, and their order.
        recipe (`NanoRecipe`, *optional*):
            Numbers of steps and learning rates; default: those of the shipped nano. `seed` replaces its seed.
        scenes (`int`, *optional*, defaults to 1000):
            How many held-out scenes nano is measured on, after stage 1 and after stage 2.

    Returns the scores of `evaluate_scenes` under `stage1` and `stage2`; they stand in the card, too.

    Raises `FileExistsError` for an `output` with files in it, and `ValueError` where the steps beside it were made from
    another seed or recipe."""
    recipe = replace(recipe or NanoRecipe(), seed=seed)
    output, steps = claim(Path(output), recipe)
    make_side_by_side({TOWERS: _make_towers, LANGUAGE_MODEL: _make_language_model}, recipe, steps)
    scores = {f"stage{stage}": _stage(stage, recipe, steps, scenes) for stage in (1, 2)}
    write_card(steps / "stage2", recipe, scores)
    shutil.copytree(steps / "stage2", output, dirs_exist_ok=True, ignore=shutil.ignore_patterns(SCORES))
    return scores


def _make_towers(recipe: NanoRecipe, steps: Path) -> None:
    towers = pretrain_towers(recipe)
    save_file(towers.state_dict(), steps / "towers.part")
    (steps / "towers.part").rename(steps / TOWERS)


def _make_language_model(recipe: NanoRecipe, steps: Path) -> None:
    part = steps / "language_model.part"
    tokenizer = train_tokenizer(vocabulary_texts())
    pretrain_language_model(recipe, tokenizer).save_pretrained(part)
    tokenizer.save_pretrained(part)
    part.rename(steps / LANGUAGE_MODEL)


def _stage(stage: int, recipe: NanoRecipe, steps: Path, scenes: int) -> dict:
    """Run a stage on what the step before it left, measure the result, and return its scores."""
    folder, part = steps / f"stage{stage}", steps / f"stage{stage}.part"
    if not folder.exists():
        if stage == 1:
            model, processor = assemble(steps / TOWERS, steps / LANGUAGE_MODEL, recipe.seed)
        else:
            model, processor = load(steps / f"stage{stage - 1}")
        run_stage(stage, model, processor, recipe, part)
        part.rename(folder)
    return scores_of(folder, lambda: evaluate_scenes(*load(folder), scenes=scenes))
