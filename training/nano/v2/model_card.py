"""nano-v2's card, filled in with what was measured."""

from pathlib import Path

from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
from minigpt4.training.nano.model_card import COMMAND, fill_card, rows_of
from minigpt4.training.recipe import read_recipe

from .settings import NUM_IMAGE_TOKENS, NanoV2Recipe


def write_card(folder: Path, recipe: NanoV2Recipe, scores: dict) -> None:
    """Write the card of the model in `folder`, with the `scores` after `stage1`, `stage2` and `stage3`."""
    model = MiniGPT4ForConditionalGeneration.from_pretrained(folder)
    stages = (recipe.stage1, recipe.stage2, recipe.stage3)
    fill_card(
        folder,
        "nano_v2_card.md",
        model,
        dict(zip(("stage 1", "stages 1 and 2", "all three"), scores.values(), strict=True)),
        f"{COMMAND} --model nano-v2",
        seed=recipe.seed,
        image_tokens=NUM_IMAGE_TOKENS,
        tower_pictures=rows_of(recipe.tower),
        rank=model.config.merged_lora["r"],
        texts=rows_of(recipe.lookups, recipe.language_model),
        steps=", ".join(f"{read_recipe(name).args.max_steps}" for name in stages),
    )
