"""nano-v2's card, filled in with what was measured."""

from importlib.resources import files
from pathlib import Path
from string import Template

from huggingface_hub import ModelCard
from transformers import AutoTokenizer

from minigpt4.evaluation.scenes.boxed.scoring import task_rows
from minigpt4.hub_cards.card import CARD, Result, index_results
from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
from minigpt4.training.recipe import read_recipe

from .settings import IMAGE_SIZE, NUM_IMAGE_TOKENS, PATCH_SIZE, NanoV2Recipe


def write_card(folder: Path, recipe: NanoV2Recipe, scores: dict) -> None:
    """Write the card `README.md` of the model in `folder`, with the `scores` after `stage1`, `stage2` and `stage3`."""
    network = MiniGPT4ForConditionalGeneration.from_pretrained(folder).model
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    final, lora = scores["stage3"], network.config.merged_lora
    template = Template(files("minigpt4.hub_cards").joinpath("nano_v2_card.md").read_text(encoding="utf-8"))
    card = template.substitute(
        megabytes=f"{sum(file.stat().st_size for file in folder.iterdir()) / 1e6:.1f}",
        command=_command(final),
        scenes=f"{final['scenes']:,}",
        scores=_table(scores),
        seed=recipe.seed,
        image_size=IMAGE_SIZE,
        patch_size=PATCH_SIZE,
        image_tokens=NUM_IMAGE_TOKENS,
        tower_parameters=f"{sizes['vision_tower']:,}",
        tower_pictures=f"{recipe.tower.steps * recipe.tower.batch_size:,}",
        projection_parameters=f"{sizes['multi_modal_projector']:,}",
        rank=lora["r"],
        llama_parameters=f"{sizes['language_model']:,}",
        vocabulary=len(AutoTokenizer.from_pretrained(folder)),
        texts=f"{sum(part.steps * part.batch_size for part in (recipe.lookups, recipe.language_model)):,}",
        steps=", ".join(
            f"{read_recipe(name).args.max_steps}" for name in (recipe.stage1, recipe.stage2, recipe.stage3)
        ),
    )
    index_results(ModelCard(card), results_of(final)).save(folder / CARD)


def results_of(scores: dict) -> list[Result]:
    """Scores of `evaluate_tasks` as cards show them, in per cent."""
    return [
        Result("drawn scenes with boxes", f"{name}, per cent", round(100 * value, 1), _command(scores), _metric(name))
        for name, value in task_rows(scores)
        if not name.startswith(" ")  # what is a part of another
    ]


def _command(scores: dict) -> str:
    return f"minigpt4 evaluate scenes --model nano-v2 --scenes {scores['scenes']} --seed {scores['seed']}"


def _metric(name: str) -> str:
    if name.startswith("failure"):
        return "error_rate"
    return next((metric for metric in ("precision", "recall") if metric in name), "accuracy")


def _table(scores: dict) -> str:
    lines = ["| | stage 1 | stages 1 and 2 | all three |", "|---|---|---|---|"]
    for rows in zip(*map(task_rows, scores.values()), strict=True):
        values = " | ".join(f"{100 * value:.1f}" for _, value in rows)
        lines.append(f"| {rows[0][0].replace('  ', '&emsp;')} | {values} |")
    return "\n".join(lines)
