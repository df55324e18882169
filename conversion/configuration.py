"""The configuration of a result: a family's, a language model's, and what is stated otherwise."""

import json
from collections.abc import Mapping
from pathlib import Path

from transformers import AutoConfig, GenerationConfig, PreTrainedConfig, PreTrainedTokenizerBase
from transformers.utils import GENERATION_CONFIG_NAME

from minigpt4.checkpoints.families import OTHER, Family
from minigpt4.checkpoints.overrides import override_config, reason_of, refuse_unknown_fields
from minigpt4.checkpoints.remote_code import naming_refused_code
from minigpt4.checkpoints.strangers import read_json
from minigpt4.modeling_minigpt4 import MiniGPT4Config

from .tokenizer import end_token_ids


# What of a language model's defaults of generation is kept beside its own chat form.
SAMPLING = ("do_sample", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "max_new_tokens")


def read_overrides(config: str | Path | Mapping | None) -> dict:
    """
    Fields of a configuration from a JSON file, or as they are.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it is not a JSON object, or names fields that do not exist.
    """
    if config is None:
        return {}
    if isinstance(config, Mapping):
        overrides, name = dict(config), "config"
    else:
        name = str(config)
        if not Path(config).is_file():
            raise FileNotFoundError(f"There is no file {config}: --config is a JSON file.")
        overrides = read_json(Path(config))
        if not isinstance(overrides, dict):
            raise ValueError(
                f"{config} holds a {type(overrides).__name__}: an object of MiniGPT4Config fields is needed."
            )
    refuse_unknown_fields(overrides, name=name)
    return overrides


def make_config(
    family: Family,
    text_config: PreTrainedConfig,
    tokenizer: PreTrainedTokenizerBase,
    overrides: Mapping,
    *,
    vision: Mapping | None = None,
    end: str | None = None,
) -> MiniGPT4Config:
    """
    The configuration of a MiniGPT-4 of a family around a language model.

    Args:
        family (`Family`): gives the image size and whether there is a Q-Former.
        text_config (`PreTrainedConfig`): of the language model, as published.
        tokenizer (`PreTrainedTokenizerBase`): knows the image token.
        overrides (`Mapping`): fields, nested, that replace the others.
        vision (`Mapping`, *optional*): of the vision tower and its pictures. Default: EVA's, at the family's size.
        end (`str`, *optional*): the token that ends an answer. Default: the tokenizer's end token.

    Raises:
        ValueError: where a field does not exist or has a value that it cannot have.
    """
    image_token_id = tokenizer.convert_tokens_to_ids(tokenizer.image_token)
    ends = end_token_ids(tokenizer, text_config)
    if end is not None:
        ends = [*dict.fromkeys([tokenizer.convert_tokens_to_ids(end), *ends])]
    first, *others = ends
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": [first, *others] if others else first,
        "pad_token_id": tokenizer.pad_token_id,
    }
    rows = {"vocab_size": max(text_config.vocab_size, image_token_id + 1)}
    fields_ = {
        **(vision or {"vision_config": {"image_size": family.image_size}}),
        "qformer_config": {} if family.qformer else None,
        "text_config": {**text_config.to_dict(), **ids, **rows, "_name_or_path": ""},
        "image_token_id": image_token_id,
        "dtype": text_config.dtype,
        "architectures": ["MiniGPT4ForConditionalGeneration"],
    }
    return override_config(fields_, overrides, name="--config", text_config_class=type(text_config))


def read_config(folder: Path, part: str) -> PreTrainedConfig:
    """
    The configuration in a folder.

    Args:
        folder (`Path`): of a model.
        part (`str`): what it is taken for, for errors: "vision tower" or "language model".

    Raises:
        FileNotFoundError: there is no `config.json`.
        ValueError: there is none that transformers knows.
    """
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder} holds no config.json: give the folder of a {part}.")
    with naming_refused_code(folder, advice=f"take a {part} that transformers knows"):
        try:
            return AutoConfig.from_pretrained(folder, trust_remote_code=False)
        except Exception as error:
            raise ValueError(
                f"{folder / 'config.json'} describes no model that transformers knows: {reason_of(error)}"
            ) from error


def read_text_config(folder: Path) -> PreTrainedConfig:
    """
    The configuration of the language model in a folder, with all end tokens that its generation config lists.

    Raises:
        FileNotFoundError, ValueError: as [`read_config`].
    """
    config = read_config(folder, "language model")
    if (file := folder / GENERATION_CONFIG_NAME).is_file():
        try:
            ends = json.loads(file.read_text(encoding="utf-8")).get("eos_token_id")
        except (ValueError, AttributeError) as error:
            raise ValueError(f"{file} is not a JSON object: download it again.") from error
        if isinstance(ends, list):
            config.eos_token_id = ends
    return config


def read_generation(folder: Path) -> dict:
    """
    How the language model in a folder was published to generate, without ids, and with room for an answer.

    Raises:
        ValueError: its `generation_config.json` is not one.
    """
    found: dict = {}
    if (folder / GENERATION_CONFIG_NAME).is_file():
        try:
            found = GenerationConfig.from_pretrained(folder).to_diff_dict()
        except Exception as error:
            raise ValueError(f"{folder / GENERATION_CONFIG_NAME} is damaged: {reason_of(error)}") from error
    kept = {name: value for name, value in found.items() if name in SAMPLING}
    return {**OTHER.generation, **kept}
