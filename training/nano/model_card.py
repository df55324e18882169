"""nano's card, and what nano-v2's shares with it: filled in with what was measured."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from huggingface_hub import ModelCard

from minigpt4.evaluation.scenes.held_out import QUESTIONS_PER_SCENE
from minigpt4.evaluation.scenes.scoring import score_rows
from minigpt4.hub_cards.card import CARD, Result, index_results, markdown_table
from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration

from .settings import NUM_QUERY_TOKENS, NanoRecipe, Pretraining
from .tokenizer import BYTES


COMMAND = "minigpt4 evaluate scenes"
# Words in a score's name, and what the Hub's index calls such a score. Every other is an accuracy.
METRICS = {"failure": "error_rate", "precision": "precision", "recall": "recall", "mean IoU": "mean_iou"}


def write_card(folder: Path, recipe: NanoRecipe, scores: Mapping[str, dict]) -> None:
    """Write the card of the model in `folder`, with the `scores` after `stage1` and `stage2`."""
    model = MiniGPT4ForConditionalGeneration.from_pretrained(folder)
    fill_card(
        folder,
        "nano_card.md",
        model,
        {"stage 1 only": scores["stage1"], "stage 1 + 2": scores["stage2"]},
        seed=recipe.seed,
        questions=f"{scores['stage2']['scenes'] * QUESTIONS_PER_SCENE:,}",
        queries=NUM_QUERY_TOKENS,
        tower_pictures=rows_of(recipe.towers),
        captions=f"{recipe.captions:,}",
        descriptions=f"{recipe.descriptions:,}",
        texts=rows_of(recipe.lookups, recipe.language_model),
        words=(model.config.text_config.vocab_size - len(BYTES)) // 50 * 50,
    )


def fill_card(
    folder: Path,
    template: str,
    model: MiniGPT4ForConditionalGeneration,
    scores: Mapping[str, dict],
    command: str = COMMAND,
    **values: object,
) -> None:
    """
    Write `README.md` in the folder of a model.

    Args:
        folder (`Path`): the model's.
        template (`str`): a file of `hub_cards`.
        model (`MiniGPT4ForConditionalGeneration`): gives sizes and numbers of parameters.
        scores (`Mapping[str, dict]`): the result of `evaluate_scenes` under the title of its column; the last is the card's.
        command (`str`): measures the model again, with the number of scenes and the seed.
        values: whatever else the template names.
    """
    config: Any = model.config
    network, final = model.model, list(scores.values())[-1]
    everything, projection, llama = (
        sum(p.numel() for p in part.parameters())
        for part in (network, network.multi_modal_projector, network.language_model)
    )
    card = Template(files("minigpt4.hub_cards").joinpath(template).read_text(encoding="utf-8")).substitute(
        megabytes=f"{sum(file.stat().st_size for file in folder.iterdir()) / 1e6:.1f}",
        command=_measured_by(command, final),
        scenes=f"{final['scenes']:,}",
        scores=score_table(scores),
        image_size=config.vision_config.image_size,
        patch_size=config.vision_config.patch_size,
        tower_parameters=f"{everything - projection - llama:,}",
        projection_parameters=f"{projection:,}",
        llama_parameters=f"{llama:,}",
        vocabulary=config.text_config.vocab_size,
        **values,
    )
    index_results(ModelCard(card), results_of(final, command)).save(folder / CARD)


def results_of(scores: dict, command: str = COMMAND) -> list[Result]:
    """Scores of `evaluate_scenes` as cards show them, in per cent."""
    dataset = "drawn scenes with boxes" if "tasks" in scores else "drawn scenes"
    return [
        Result(dataset, f"{name}, per cent", round(100 * value, 1), _measured_by(command, scores), _metric(name))
        for name, value in score_rows(scores)
        if not name.startswith(" ")  # what is a part of another
    ]


def rows_of(*parts: Pretraining) -> str:
    """How many rows these trainings see."""
    return f"{sum(part.steps * part.batch_size for part in parts):,}"


def _measured_by(command: str, scores: dict) -> str:
    return f"{command} --scenes {scores['scenes']} --seed {scores['seed']}"


def _metric(name: str) -> str:
    return next((metric for words, metric in METRICS.items() if words in name), "accuracy")


def score_table(scores: Mapping[str, dict]) -> str:
    rows = [
        (same[0][0].replace("  ", "&emsp;"), *(f"{100 * value:.1f}" for _, value in same))
        for same in zip(*map(score_rows, scores.values()), strict=True)
    ]
    return markdown_table(("", *scores), rows)
