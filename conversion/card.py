"""The card of a converted or assembled folder: its parts, their licences, and what the papers say of the training."""

from pathlib import Path

from minigpt4.checkpoints.families import get_family
from minigpt4.hub_cards.card import CARD, TRAINING, model_card


CHECKPOINT = "checkpoint"
LICENCES = {"vision tower": "EVA-CLIP: MIT", "BLIP-2": "BSD-3-Clause", CHECKPOINT: "BSD-3-Clause"}
# Of the language models that the published checkpoints belong to, and what the Hub calls it.
LANGUAGE_MODELS: dict[str, tuple[str, str]] = {
    "vicuna": ("Vicuna v0: that of LLaMA, for research and not for commerce", "other"),
    "llama2": ("LLaMA 2 Community License", "llama2"),
    "v2": ("LLaMA 2 Community License", "llama2"),
}
PUBLISHED_TRAINING = {
    "vicuna": "The projection was trained, and nothing else: the vision tower, the Q-Former and the language model were "
    "frozen.",
    "llama2": "The projection was trained, and nothing else: the vision tower and the language model were frozen.",
    "v2": "The projection was trained, and LoRA (rank 64) on queries and values of the language model; the vision tower "
    "was frozen.",
}
PUBLISHED_DATA = {
    "vicuna": "Stage 1: pictures with captions of LAION, Conceptual Captions and SBU, about 5 million pairs. Stage 2: 3,439 "
    "detailed descriptions.",
    "llama2": "Stage 1: pictures with captions of LAION, Conceptual Captions and SBU. Stage 2: 3,439 detailed descriptions.",
}


def write_card(folder: Path, family: str, how: str, made: dict[str, str]) -> None:
    """
    Write the card. Of an assembled model, whose language model may be any, less is known than of a published one.

    Args:
        folder (`Path`): holds the configuration.
        family (`str`): its name.
        how (`str`): how the folder was made.
        made (`dict[str, str]`): part -> name of what it was made from.
    """
    published = CHECKPOINT in made
    language_model, license = LANGUAGE_MODELS[family] if published else ("its own", "other")
    licences = LICENCES | {"language model": language_model}
    told = " ".join(texts[family] for texts in (PUBLISHED_TRAINING, PUBLISHED_DATA) if family in texts)
    card = model_card(
        folder,
        title=get_family(family).title,
        family=family,
        how=how,
        parts=[(part, name, licences.get(part, "")) for part, name in made.items()],
        sections={TRAINING: f"As published: {told}"} if published else {},
        license=license,
    )
    card.save(folder / CARD)
