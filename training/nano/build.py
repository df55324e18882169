"""nano from nothing: its parts from scratch, the two stages of alignment, and the finished folder.

Every step leaves its result in a folder beside the output, and is skipped if its result exists."""

import json
import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from tqdm.auto import tqdm
from transformers import AutoModelForImageTextToText, AutoProcessor

from minigpt4.evaluation.scenes import evaluate_scenes
from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
from minigpt4.processing import MiniGPT4Processor

from .alignment import assemble, run_stage
from .corpus import vocabulary_texts
from .language import pretrain_language_model
from .model_card import write_card
from .pretraining import keep_freed_memory
from .settings import NanoRecipe
from .tokenizer import train_tokenizer
from .vision import pretrain_towers


TOWERS, LANGUAGE_MODEL, SCORES = "towers.safetensors", "language_model", "scores.json"


def build_nano(output: str | Path, seed: int = 0, recipe: NanoRecipe | None = None, scenes: int = 1000) -> dict:
    """Make nano from `seed` and save it, complete, in the folder `output`: some 45 minutes on two CPU cores.

    Vision and language model learn side by side, each on one core; then the projection alone learns, in stage 1 and
    stage 2, between the others, which are frozen. Progress bars go to stderr. What each step made is kept in
    `<output>.steps`, so that an interrupted build resumes from there; delete that folder when you are done.

    Args:
        output: a folder that does not exist yet, or is empty.
        seed: decides the weights, the pictures, and their order.
        recipe: numbers of steps and learning rates; default: those of the shipped nano. `seed` replaces its seed.
        scenes: how many held-out scenes nano is measured on, after stage 1 and after stage 2.

    Returns the scores of `evaluate_scenes` under `stage1` and `stage2`; they stand in the card, too.

    Raises `FileExistsError` for an `output` with files in it, and `ValueError` where the steps beside it were made from
    another seed or recipe."""
    output = Path(output)
    if output.exists() and any(output.iterdir()):
        raise FileExistsError(f"{output} is not empty: give a new folder for nano.")
    recipe = replace(recipe or NanoRecipe(), seed=seed)
    steps = output.with_name(f"{output.name}.steps")
    _claim(steps, recipe)
    _pretrain_parts(recipe, steps)
    scores = {f"stage{stage}": _stage(stage, recipe, steps, scenes) for stage in (1, 2)}
    write_card(steps / "stage2", recipe, scores)
    shutil.copytree(steps / "stage2", output, dirs_exist_ok=True, ignore=shutil.ignore_patterns(SCORES))
    return scores


def _claim(steps: Path, recipe: NanoRecipe) -> None:
    """Note by which recipe `steps` are made; refuse those of another one."""
    steps.mkdir(parents=True, exist_ok=True)
    note, settings = steps / "recipe.json", json.dumps(asdict(recipe), indent=2)
    if note.exists() and note.read_text() != settings:
        raise ValueError(
            f"{steps} contains steps made from another seed or recipe: delete it, or choose another output."
        )
    note.write_text(settings)


def _pretrain_parts(recipe: NanoRecipe, steps: Path) -> None:
    """Make what is missing of the towers and the language model, side by side in processes of one thread each: on
    matrices of this size a second thread helps little."""
    makers = {TOWERS: _make_towers, LANGUAGE_MODEL: _make_language_model}
    missing = [maker for result, maker in makers.items() if not (steps / result).exists()]
    if not missing:
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(missing), context, initializer=_start_worker, initargs=(context.RLock(),)) as pool:
        for job in [pool.submit(maker, recipe, steps, row) for row, maker in enumerate(missing)]:
            job.result()


def _start_worker(lock) -> None:
    tqdm.set_lock(lock)
    torch.set_num_threads(1)
    keep_freed_memory()


def _make_towers(recipe: NanoRecipe, steps: Path, row: int) -> None:
    towers = pretrain_towers(recipe, row)
    save_file(towers.state_dict(), steps / "towers.part")
    (steps / "towers.part").rename(steps / TOWERS)


def _make_language_model(recipe: NanoRecipe, steps: Path, row: int) -> None:
    part = steps / "language_model.part"
    tokenizer = train_tokenizer(vocabulary_texts())
    pretrain_language_model(recipe, tokenizer, row).save_pretrained(part)
    tokenizer.save_pretrained(part)
    part.rename(steps / LANGUAGE_MODEL)


def _stage(stage: int, recipe: NanoRecipe, steps: Path, scenes: int) -> dict:
    """Run a stage on what the step before it left, measure the result, and return its scores."""
    folder, part = steps / f"stage{stage}", steps / f"stage{stage}.part"
    if not folder.exists():
        if stage == 1:
            model, processor = assemble(steps / TOWERS, steps / LANGUAGE_MODEL, recipe.seed)
        else:
            model, processor = _load(steps / f"stage{stage - 1}")
        run_stage(stage, model, processor, recipe, part)
        part.rename(folder)
    note = folder / SCORES
    if not note.exists():
        note.write_text(json.dumps(evaluate_scenes(*_load(folder), scenes=scenes), indent=2))
    return json.loads(note.read_text())


def _load(folder: Path) -> tuple[MiniGPT4ForConditionalGeneration, MiniGPT4Processor]:
    model = AutoModelForImageTextToText.from_pretrained(folder)
    return model.eval(), AutoProcessor.from_pretrained(folder)
