"""nano-v2's card, filled in with what was measured."""

from collections.abc import Mapping
from pathlib import Path

from minigpt4.hub_cards.card import markdown_table
from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
from minigpt4.training.nano.model_card import COMMAND, fill_card, rows_of, score_table
from minigpt4.training.recipe import read_recipe

from .settings import NUM_IMAGE_TOKENS, NanoV2Recipe


STAGES = {"stage1": "stage 1", "stage2": "stages 1 and 2", "stage3": "all three"}
# Under which names the scores come of what is compared.
REPEATED = "stage3 with seed {}"
WITH, WITHOUT = "stage2 alone, with identifiers", "stage2 alone, without identifiers"
NOT_COMPARED = "(Not measured here: `--repeats 2` of the command below does it.)"


def write_card(folder: Path, recipe: NanoV2Recipe, scores: Mapping[str, dict]) -> None:
    """Write the card of the model in `folder`, with the `scores` that `build_nano_v2` returns."""
    model = MiniGPT4ForConditionalGeneration.from_pretrained(folder)
    stages = (recipe.stage1, recipe.stage2, recipe.stage3)
    seeds = {f"seed {recipe.seed}": scores["stage3"]}
    while (name := REPEATED.format(seed := recipe.seed + len(seeds))) in scores:
        seeds[f"seed {seed}"] = scores[name]
    fill_card(
        folder,
        "nano_v2_card.md",
        model,
        {title: scores[stage] for stage, title in STAGES.items()},
        f"{COMMAND} --model nano-v2",
        seed=recipe.seed,
        spread=score_table(seeds) if len(seeds) > 1 else NOT_COMPARED,
        identifiers=_identifiers(scores[WITH], scores[WITHOUT]) if WITH in scores else NOT_COMPARED,
        image_tokens=NUM_IMAGE_TOKENS,
        tower_pictures=rows_of(recipe.tower),
        rank=model.config.merged_lora["r"],
        texts=rows_of(recipe.lookups, recipe.language_model, recipe.ends),
        steps=", ".join(f"{read_recipe(name).args.max_steps}" for name in stages),
    )


def _identifiers(with_them: dict, without: dict) -> str:
    """Of each task the share of right answers, and of those in the form of this task and no other."""
    rows = []
    for task in with_them["tasks"]:
        right = [each["tasks"][task]["right"] for each in (with_them, without)]
        in_form = [each["forms"][task][task] for each in (with_them, without)]
        rows.append((f"`[{task}]`", *(f"{100 * share:.1f}" for share in (*right, *in_form))))
    return markdown_table(("", "right", "right, without", "in the task's form", "in its form, without"), rows)
