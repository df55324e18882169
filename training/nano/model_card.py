"""nano's card, filled in with what was measured."""

from importlib.resources import files
from pathlib import Path
from string import Template

from huggingface_hub import ModelCard
from transformers import AutoTokenizer

from minigpt4.evaluation.scenes.drawing import IMAGE_SIZE
from minigpt4.evaluation.scenes.requests import QUESTIONS_PER_SCENE
from minigpt4.evaluation.scenes.scoring import score_rows
from minigpt4.hub_cards.card import CARD, Result, index_results
from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration

from .settings import NUM_QUERY_TOKENS, PATCH_SIZE, NanoRecipe, Pretraining
from .tokenizer import BYTES


def write_card(folder: Path, recipe: NanoRecipe, scores: dict) -> None:
    """Write the card `README.md` of the model in `folder`, with the `scores` after `stage1` and `stage2`."""
    network = MiniGPT4ForConditionalGeneration.from_pretrained(folder).model
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    vocabulary = len(AutoTokenizer.from_pretrained(folder))
    final = scores["stage2"]
    template = Template(files("minigpt4.hub_cards").joinpath("nano_card.md").read_text(encoding="utf-8"))
    card = template.substitute(
        megabytes=f"{sum(file.stat().st_size for file in folder.iterdir()) / 1e6:.1f}",
        scenes=f"{final['scenes']}",
        evaluation_seed=final["seed"],
        scores=_table(scores),
        questions=f"{final['scenes'] * QUESTIONS_PER_SCENE:,}",
        seed=recipe.seed,
        image_size=IMAGE_SIZE,
        patch_size=PATCH_SIZE,
        queries=NUM_QUERY_TOKENS,
        tower_parameters=f"{sizes['vision_tower'] + sizes['qformer'] + network.query_tokens.numel():,}",
        tower_pictures=f"{_rows(recipe.towers):,}",
        projection_parameters=f"{sizes['multi_modal_projector']:,}",
        captions=f"{recipe.captions:,}",
        descriptions=f"{recipe.descriptions:,}",
        llama_parameters=f"{sizes['language_model']:,}",
        vocabulary=vocabulary,
        texts=f"{_rows(recipe.lookups) + _rows(recipe.language_model):,}",
        words=(vocabulary - len(BYTES)) // 50 * 50,
    )
    index_results(ModelCard(card), results_of(final)).save(folder / CARD)


def results_of(scores: dict) -> list[Result]:
    """Scores of `evaluate_scenes` as cards show them, in per cent."""
    command = f"minigpt4 evaluate scenes --scenes {scores['scenes']} --seed {scores['seed']}"
    return [
        Result("drawn scenes", f"{name}, per cent", round(100 * value, 1), command, _metric(name))
        for name, value in score_rows(scores)
        if not name.startswith(" ")  # what is a part of another
    ]


def _metric(name: str) -> str:
    if name.startswith("failure"):
        return "error_rate"
    return next((metric for metric in ("precision", "recall") if metric in name), "accuracy")


def _rows(settings: Pretraining) -> int:
    return settings.steps * settings.batch_size


def _table(scores: dict) -> str:
    lines = ["| | stage 1 only | stage 1 + 2 |", "|---|---|---|"]
    pairs = zip(score_rows(scores["stage1"]), score_rows(scores["stage2"]), strict=True)
    for (name, before), (_, after) in pairs:
        lines.append(f"| {name.replace('  ', '&emsp;')} | {100 * before:.1f} | {100 * after:.1f} |")
    return "\n".join(lines)
