"""Models that claims are about: nano and nano-v2, with the projection from nothing, trained again in some way.

Every model stands in a folder of its own, and is made once."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from minigpt4.hub_cards.embedded import embedded
from minigpt4.loading import load
from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
from minigpt4.training import read_recipe
from minigpt4.training import run as training
from minigpt4.training.data.features import cache_features
from minigpt4.training.nano.v2.alignment import without_identifiers


# What is other than published, by the letters of the paper's ablation.
VARIANTS: dict[str, dict[str, Any]] = {
    "published": {},
    "no Q-Former": {"qformer_config": None, "token_merge_size": 1},
    "three layers": {"projector_num_layers": 3},
    "Q-Former trained": {},
}
MASKS = {"Q-Former trained": "projector+qformer"}
# Those whose frozen towers give the same features.
SHARED_FEATURES = ("published", "three layers")


@dataclass(frozen=True)
class Workshop:
    """
    Where models are made, and how long they learn.

    Args:
        folder (`Path`): for all models of this seed and scale.
        seed (`int`): of the order of the rows.
        scale (`float`): of the steps and rows of nano's recipes; 1.0 are nano's own.
        nano_v2 (`str`): the model in which identifiers are left out.
    """

    folder: Path
    seed: int
    scale: float
    nano_v2: str

    def stage(self, stage: int, variant: str, share: float = 1.0) -> Path:
        """A variant of nano after stage 1, of which it did a share, or after both stages."""
        start = self.stage(1, variant, share) if stage == 2 else self._start(variant)
        recipe = read_recipe(f"nano-stage{stage}")
        part = self.scale * (share if stage == 1 else 1.0)
        settings: dict[str, Any] = {
            "data_rows": self._scaled(recipe.data.data_rows, self.scale),
            "max_steps": self._scaled(recipe.args.max_steps, part),
            "mask": MASKS.get(variant, "projector"),
        }
        settings["warmup_steps"] = min(int(recipe.args.warmup_steps), settings["max_steps"] // 10)
        if variant in SHARED_FEATURES:
            settings["features"] = str(self.folder.parent / f"features-{self.scale:g}")
        name = f"{variant}, {share:.0%} of stage 1{', stage 2' if stage == 2 else ''}"
        return self._train(f"nano-stage{stage}", name, start, settings)

    def with_identifiers(self, identifiers: bool) -> Path:
        """nano-v2, its projection and a LoRA trained on all tasks, with or without their identifiers."""
        recipe = read_recipe("nano-v2-stage2")
        settings: dict[str, Any] = {"max_steps": self._scaled(recipe.args.max_steps, self.scale)}
        if not identifiers:
            settings["data"] = without_identifiers("nano-v2-stage2")
        settings["warmup_steps"] = min(int(recipe.args.warmup_steps), settings["max_steps"] // 10)
        name = f"nano-v2 {'with' if identifiers else 'without'} identifiers"
        start = self._made("nano-v2 blank", lambda part: _save_blank(self.nano_v2, {}, part))
        return self._train("nano-v2-stage2", name, start, settings)

    def _start(self, variant: str) -> Path:
        return self._made(f"{variant}, blank", lambda part: _save_blank("nano", VARIANTS[variant], part))

    def _train(self, recipe: str, name: str, start: Path, settings: dict[str, Any]) -> Path:
        def make(part: Path) -> None:
            names = {"model_name_or_path": str(start), "output_dir": str(part), "seed": self.seed, "save": "full"}
            said = read_recipe(recipe, **names, **settings)
            if said.args.features:
                cache_features(said)
            training.run(said)

        return self._made(name, make)

    def _made(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder of this name, made under another one: what is there is whole."""
        folder = self.folder / name
        if not folder.exists():
            part = self.folder / f"{name}.part"
            shutil.rmtree(part, ignore_errors=True)
            make(part)
            part.rename(folder)
        return folder

    def _scaled(self, number: int | None, scale: float) -> int:
        return max(2, round((number or 0) * scale))


def _save_blank(name: str, changes: dict[str, Any], folder: Path) -> None:
    """A model with other settings, its towers and language model as they are, its projection from nothing."""
    source = embedded(name)
    config = AutoConfig.from_pretrained(source)
    for key, value in changes.items():
        setattr(config, key, value)
    torch.manual_seed(0)
    whole, processor = load(source)
    model = MiniGPT4ForConditionalGeneration(config)
    kept = {name: value for name, value in whole.state_dict().items() if "multi_modal_projector" not in name}
    model.load_state_dict(kept, strict=False)
    model.tie_weights()
    model.generation_config = whole.generation_config
    # Of several layers only the last begins at zero, or none would learn: the output begins at zero in any case.
    projector = model.model.multi_modal_projector
    last = projector[-1] if isinstance(projector, torch.nn.Sequential) else projector
    for parameter in last.parameters():
        torch.nn.init.zeros_(parameter)
    processor.num_image_tokens = config.num_image_tokens
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
