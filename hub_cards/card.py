"""Model cards, made from known facts; what is unknown is left out."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from transformers import AutoConfig
from transformers.utils import CONFIG_NAME

from minigpt4.checkpoints.families import FAMILIES, Family, get_family
from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration


CARD = "README.md"
# Stands for the model's name in a card until it has one.
PLACEHOLDER = "PATH_OR_ID"
TASK = "image-text-to-text"
TAGS = ["minigpt4", "vision-language"]
PARTS, TRAINING, RESULTS = "Parts and their licences", "Training", "Results"


@dataclass(frozen=True)
class Training:
    """
    What is known of a training run.

    Args:
        learned (`int`, *optional*): parameters that learned.
        frozen (`int`, *optional*): parameters that did not.
        modules (`list[str]`): which modules learned.
        settings (`dict`): hyperparameters, name -> value.
        recipe (`str`, *optional*): name of the recipe.
        data (`list[str]`, *optional*): what it was trained on; only names that others can look up go into the metadata.
    """

    learned: int | None = None
    frozen: int | None = None
    modules: Sequence[str] = ()
    settings: dict[str, object] = field(default_factory=dict)
    recipe: str | None = None
    data: Sequence[str] = ()

    def __str__(self) -> str:
        names = " and ".join([", ".join(self.modules[:-1]), *self.modules[-1:]] if self.modules[1:] else self.modules)
        what = f" ({names})" if names else ""
        paragraphs = []
        if self.learned is not None:
            frozen = f"; {self.frozen:,} were frozen" if self.frozen is not None else ""
            paragraphs.append(f"{self.learned:,} parameters learned{what}{frozen}.")
        if self.data:
            paragraphs.append(f"Data: {', '.join(f'`{name}`' for name in self.data)}.")
        if self.recipe:
            paragraphs.append(f"Recipe: `{self.recipe}` (`minigpt4 train {self.recipe}`).")
        if self.settings:
            paragraphs.append(markdown_table(("setting", ""), self.settings.items()))
        return "\n\n".join(paragraphs)


@dataclass(frozen=True)
class Result:
    """
    One measured figure.

    Args:
        dataset (`str`): on what.
        name (`str`): of the metric.
        value (`float`): the figure.
        command (`str`): with which it can be measured again.
        metric (`str`, defaults to `"accuracy"`): the Hub's name of the metric.
        detail (`str`, *optional*): what a reader of the figure must know. It stands in the table, not in the Hub's index.
    """

    dataset: str
    name: str
    value: float
    command: str
    metric: str = "accuracy"
    detail: str = ""

    def for_the_index(self) -> EvalResult:
        """As the Hub reads it."""
        return EvalResult(
            task_type=TASK,
            dataset_type=re.sub(r"[^a-z0-9]+", "_", self.dataset.lower()).strip("_"),
            dataset_name=self.dataset,
            metric_type=self.metric,
            metric_name=self.name,
            metric_value=self.value,
        )


def model_card(
    folder: str | Path,
    *,
    title: str | None = None,
    family: str | None = None,
    how: str | None = None,
    parts: Sequence[tuple[str, str, str]] = (),
    training: Training | None = None,
    base: str | None = None,
    results: Sequence[Result] = (),
    sections: Mapping[str, str] = MappingProxyType({}),
    **metadata,
) -> ModelCard:
    """
    The card of a model or of an adapter.

    Args:
        folder (`str` or `Path`): folder with `config.json`; without that file it is an adapter.
        title (`str`, *optional*): what to call it; default: by its architecture.
        family (`str`, *optional*): name of its [`Family`], where that is known.
        how (`str`, *optional*): how it was made, after "It was".
        parts (*optional*): what it was made from: part, name of the source, licence.
        training (`Training`, *optional*): how it was trained.
        base (`str`, *optional*):
            Folder or Hub id of the model that it was trained from. In a folder it hands on its licences and its parts.
        results (*optional*): what was measured.
        sections (*optional*): further sections, heading -> text; they replace those of the same heading.
        metadata: further fields of `huggingface_hub.ModelCardData`, such as `license`.
    """
    known = get_family(family) if family else None
    adapter = not (Path(folder) / CONFIG_NAME).is_file()
    config: Any = None if adapter else AutoConfig.from_pretrained(folder, trust_remote_code=False)
    found: dict[str, str] = {}
    if config is not None:
        found["Architecture"] = markdown_table(("part", "what it is", "parameters"), _architecture(config))
    if (inherited := _read(base)) is not None:
        for name in ("license", "license_name", "license_link"):
            if getattr(inherited.data, name, None):
                metadata.setdefault(name, getattr(inherited.data, name))
        found |= sections_of(inherited, PARTS)
    if parts:
        found[PARTS] = markdown_table(
            ("made from", "", "licence"), ((part, f"`{name}`", terms) for part, name, terms in parts)
        )
        found[PARTS] += "\n\nThe licences of all of them apply to this model as well."
    if training is not None:
        found[TRAINING] = str(training)
    on_the_hub = base if base and not is_path(base) else None
    if adapter:
        metadata |= {"library_name": "peft"} | ({"base_model_relation": "adapter"} if on_the_hub else {})
        title = title or f"Adapter of {Path(base).name if base else 'a MiniGPT-4'}"
    elif title is None:
        title = "MiniGPT-4" if config.qformer_config is not None else "MiniGPT-4 without a Q-Former"
    data = ModelCardData(
        **{
            "language": "en",
            "library_name": "transformers",
            "pipeline_tag": TASK,
            "base_model": on_the_hub,
            "datasets": [name for name in training.data if re.fullmatch(r"[\w.-]+/[\w.-]+", name)] or None
            if training
            else None,
            "tags": TAGS,
            **metadata,
        }
    )
    card = ModelCard.from_template(
        data,
        template_str=files("minigpt4.hub_cards").joinpath("model_card.md").read_text(encoding="utf-8"),
        title=title,
        summary=_summary(config, known) + (f" It was {how}." if how else ""),
        sections=found | dict(sections),
        adapter=adapter,
        base_link=f"[{base}](https://huggingface.co/{base})" if on_the_hub else "the model it was trained on",
        boxes=known is not None and bool(known.task_identifiers),
    )
    return add_results(card, results)


def add_results(card: ModelCard, results: Sequence[Result]) -> ModelCard:
    """The card with a table of these results, and with them in the Hub's index, in the place of those it had."""
    if not results:
        return card
    rows = (
        (one.dataset, f"{one.name} ({one.detail})" if one.detail else one.name, one.value, f"`{one.command}`")
        for one in results
    )
    table = markdown_table(("on", "measured", "value", "with"), rows)
    text = re.sub(rf"^## {RESULTS}\n.*?(?=^## |\Z)", "", card.text, flags=re.MULTILINE | re.DOTALL)
    before, limits, after = text.partition("## Limits\n")
    card.text = f"{before.rstrip()}\n\n## {RESULTS}\n\n{table}\n\n{limits}{after}".rstrip() + "\n"
    return index_results(card, results)


def index_results(card: ModelCard, results: Sequence[Result]) -> ModelCard:
    """The card with these results where the Hub looks for them."""
    title = re.search(r"^# (.+)$", card.text, flags=re.MULTILINE)
    data: Any = card.data
    data.model_name = data.model_name or (title[1] if title else "MiniGPT-4")
    data.eval_results = [result.for_the_index() for result in results]
    data.metrics = sorted({result.metric for result in results})
    return card


def is_path(name: str) -> bool:
    """Whether the name of a model or a set is a folder's, not one of the Hub."""
    return Path(name).is_absolute() or Path(name).exists() or name.startswith(".") or name.count("/") > 1


def sections_of(card: ModelCard, *names: str) -> dict[str, str]:
    """Those of these sections that a card has."""
    sections = dict(re.findall(r"^## ([^\n]+)\n+(.*?)\s*(?=^## |\Z)", card.text, flags=re.MULTILINE | re.DOTALL))
    return {name: sections[name] for name in names if name in sections}


def markdown_table(header: Sequence[str], rows: Iterable[Sequence]) -> str:
    """Rows as a table in Markdown; whole numbers get commas."""
    lines = [header, ["---"] * len(header), *rows]
    cells = ([f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _summary(config: Any, family: Family | None) -> str:
    paper = (
        family.paper if family is not None else " or ".join(dict.fromkeys(each.paper for each in FAMILIES.values()))
    )
    text = f"A {paper}: a model that sees a picture and talks about it."
    if config is not None:
        text += (
            f" Pictures of {config.image_size} pixels take {config.num_image_tokens} tokens; the language "
            f"model is of the type `{config.text_config.model_type}`."
        )
    return text


def _architecture(config: Any) -> list[tuple[str, str, int]]:
    with torch.device("meta"):
        model: Any = MiniGPT4ForConditionalGeneration(config)
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in model.model.named_children()}
    vision, text = config.vision_config, config.text_config
    tower = sizes["vision_tower"] + sizes.get("vision_layer_norm", 0)
    rows = [("vision tower", f"{vision.num_hidden_layers} layers of {vision.hidden_size}", tower)]
    if config.qformer_config is not None:
        queries = model.model.query_tokens.numel()
        rows.append(("Q-Former", f"{config.num_query_tokens} queries", sizes["qformer"] + queries))
    layers = config.projector_num_layers
    linear = "linear" if layers == 1 else f"{layers} linear layers"
    rows.append(
        ("projection", f"{linear}, {config.projector_input_size} → {text.hidden_size}", sizes["multi_modal_projector"])
    )
    head = 0 if config.tie_word_embeddings else model.lm_head.weight.numel()
    what = f"{text.num_hidden_layers} layers of {text.hidden_size}"
    return [*rows, ("language model", what, sizes["language_model"] + head)]


def _read(name: str | None) -> ModelCard | None:
    """The card beside a model in a folder; that of a model on the Hub is a link away."""
    card = Path(name or "") / CARD
    return ModelCard.load(card, ignore_metadata_errors=True) if name and card.is_file() else None


def training_of(folder: str | Path, learned: int | None = None) -> Training | None:
    """What a `trainer_state.json` in `folder`, or in its last checkpoint, says of the run; `None` where nothing is known."""
    states = [Path(folder) / "trainer_state.json", *sorted(Path(folder).glob("checkpoint-*/trainer_state.json"))]
    found = [state for state in states if state.is_file()]
    if not found:
        return Training(learned) if learned is not None else None
    state = max((json.loads(file.read_text(encoding="utf-8")) for file in found), key=lambda one: one["global_step"])
    return Training(learned, settings=run_settings(state))


def run_settings(state: Mapping) -> dict[str, object]:
    """What a `TrainerState` says: steps, epochs and the last losses."""
    settings: dict[str, object] = {"steps": state["global_step"]}
    if state.get("epoch"):
        settings["epochs"] = round(state["epoch"], 2)
    names = {"loss": "last training loss", "eval_loss": "last evaluation loss"}
    for name, title in names.items():
        if values := [entry[name] for entry in state.get("log_history", ()) if name in entry]:
            settings[title] = f"{values[-1]:.4g}"
    return settings
