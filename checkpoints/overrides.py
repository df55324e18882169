"""A configuration with some of its fields stated otherwise, also those of its parts."""

from collections.abc import Mapping
from dataclasses import fields

from huggingface_hub.errors import StrictDataclassError
from transformers import CONFIG_MAPPING, Blip2QFormerConfig, Blip2VisionConfig, PreTrainedConfig

from minigpt4.modeling_minigpt4.configuration_minigpt4 import MiniGPT4Config


BLIP2 = Blip2VisionConfig.model_type


def override_config(
    values: Mapping, overrides: Mapping, *, name: str, text_config_class: type[PreTrainedConfig]
) -> MiniGPT4Config:
    """
    Make a configuration of fields and what replaces them: a part keeps every field that its override does not name.

    Args:
        values (`Mapping`): fields of `MiniGPT4Config`, those of its parts nested, as `to_dict` gives them.
        overrides (`Mapping`): fields that replace these, nested likewise; a part that is `None` is left out.
        name (`str`): of the overrides, for errors.
        text_config_class (`type`): of the language model's configuration.

    Raises:
        ValueError: where a field does not exist or has a value that it cannot have.
    """
    tower = (values.get("vision_config") or {}).get("model_type", BLIP2)
    refuse_unknown_fields(overrides, name=name, text_config_class=text_config_class, tower=tower)
    try:
        return MiniGPT4Config(**_merged(values, overrides))
    except StrictDataclassError as error:
        raise ValueError(f"{name} does not fit MiniGPT4Config: {reason_of(error)}") from error


def refuse_unknown_fields(
    overrides: Mapping, *, name: str, text_config_class: type[PreTrainedConfig] | None = None, tower: str | None = None
) -> None:
    """
    Make sure that overrides name fields that there are; those of the language model where its class is given, and those of
    the vision tower where its type is, there or in the overrides.

    Raises:
        ValueError: where one does not exist.
    """
    _refuse_unknown(overrides, MiniGPT4Config, name)
    given = overrides.get("vision_config")
    tower = given.get("model_type", tower) if isinstance(given, Mapping) else tower
    classes: dict[str, type | None] = {
        "vision_config": CONFIG_MAPPING[tower] if tower in CONFIG_MAPPING else None,  # noqa: SIM401 - `get` knows no lazy one
        "qformer_config": Blip2QFormerConfig,
        "text_config": text_config_class,
    }
    for part, part_class in classes.items():
        if part_class is not None and isinstance(overrides.get(part), Mapping):
            named = {key: value for key, value in overrides[part].items() if key != "model_type"}
            _refuse_unknown(named, part_class, f"{part} of {name}")


def reason_of(error: Exception) -> str:
    """The reason in an error about a configuration, in one line; a line that announces the next one is joined with it."""
    first, *rest = [line.strip() for line in str(error).strip().splitlines()]
    return f"{first} {rest[0]}" if first.endswith(":") and rest else first


def _refuse_unknown(overrides: Mapping, config_class: type, name: str) -> None:
    known = {field.name for field in fields(config_class)}
    if unknown := sorted(overrides.keys() - known):
        raise ValueError(f"{name} sets {unknown[0]}, which {config_class.__name__} does not have.")


def _merged(values: Mapping, overrides: Mapping) -> dict:
    merged = dict(values)
    for name, value in overrides.items():
        old = merged.get(name)
        same = isinstance(value, Mapping) and isinstance(old, Mapping) and _type_of(value, old) == _type_of(old, old)
        merged[name] = _merged(merged[name], value) if same else value
    return merged


def _type_of(part: Mapping, known: Mapping) -> str | None:
    """The type of model that a part of a configuration is of; a part of another one is replaced whole."""
    return part.get("model_type", known.get("model_type", BLIP2))
