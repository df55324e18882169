"""Recipes of curation: YAML files that say where the pictures are, and what each step does."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import yaml


try:
    from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
except ImportError as error:
    raise ImportError("curation needs pydantic: run pip install '.[curation]' in minigpt4's repository") from error


# In this order; each reads the texts that the one before it left.
STEPS = ("generate", "continue", "mend", "filter", "review", "export")

# The paper's section 3.
PROMPT = (
    "###Human: <Img><ImageHere></Img> Describe this image in detail. Give as many details as possible. "
    "Say everything you see. ###Assistant: "
)
CONTINUE = "###Human: Continue ###Assistant: "
INSTRUCTION = (
    "Fix the error in the given paragraph. Remove any repeating sentences, meaningless characters, not English sentences, "
    "and so on. Remove unnecessary repetition. Rewrite any incomplete sentences. Return directly the results without "
    "explanation. Return directly the input paragraph if it is already correct without explanation."
)
IMAGE = "<ImageHere>"

Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A part of a recipe; keys that it does not have are errors."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Source(Section):
    """
    Args:
        images (`str` or `list[str]`): folder of pictures, webdataset shards (`.tar`, with `*` or `{00000..10488}` for several), or
            the name of a data set with images, on the Hub or saved by `datasets`.
        sample (`int`, *optional*): how many of them are drawn at random; default: all.
        seed (`int`): decides which.
        config, split, column (`str`): of a data set.
        licence (`str`, *optional*): of the pictures, for the card.
    """

    images: str | list[str]
    sample: Annotated[int, Field(ge=1)] | None = None
    seed: int = 0
    config: str | None = None
    split: str = "train"
    column: str = "image"
    licence: str | None = None


class Step(Section):
    """
    Args:
        from_ (`str`, *optional*, `from` in the recipe): a JSONL file in which another tool has done this step: lines with
            the `id` or the `image` of a row, its `text`, and what else is known of it.
    """

    from_: Annotated[str | None, Field(alias="from")] = None


class Generate(Step):
    """
    Args:
        model (`str`): folder or Hub id of an image-text-to-text model.
        prompt (`str`, *optional*): what it is asked; with `<ImageHere>` as it stands, else in its chat form. Default: the
            published one.
        batch_size (`int`): pictures answered at once.
        seed (`int`): of sampling.
        settings (`dict`): of `generate` of transformers, in place of the checkpoint's.
        licence (`str`, *optional*): of the model, for the card.
    """

    model: str | None = None
    prompt: str | None = None
    batch_size: Annotated[int, Field(ge=1)] = 8
    seed: int = 0
    settings: dict[str, Any] = {}
    licence: str | None = None

    @model_validator(mode="after")
    def _has_a_model(self) -> "Generate":
        if self.model is None and self.from_ is None:
            raise ValueError("needs a model, or from: FILE")
        return self


class Continue(Step):
    """
    Args:
        under (`int`): answers with fewer tokens than this are continued.
        at_most (`int`): how often. As many rows at once as in `generate`.
        prompt (`str`, *optional*): default: the published one, in the same form as the prompt of generate.
    """

    under: Annotated[int, Field(ge=1)] = 80
    at_most: Annotated[int, Field(ge=1)] = 1
    prompt: str | None = None


class Price(Section):
    """What an endpoint charges for a million tokens, in any currency."""

    input: Annotated[float, Field(ge=0)] = 0.0
    output: Annotated[float, Field(ge=0)] = 0.0


class Checks(Section):
    """
    When a reply may replace the text.

    Args:
        shortest, longest: words of the reply, as shares of the text's.
        new_words: how many numbers and names the reply may have that the text has not.
    """

    shortest: Annotated[float, Field(ge=0)] = 0.3
    longest: Annotated[float, Field(gt=0)] = 1.5
    new_words: Annotated[int, Field(ge=0)] = 1


class Mend(Step):
    """
    Args:
        rules (`bool`): mend by fixed rules, without a language model.
        endpoint (`str`, *optional*): address of an OpenAI-style API. Nothing is sent anywhere without it.
        model (`str`, *optional*): the endpoint's name of a model; without `endpoint`, a local causal language model.
        key_variable (`str`, *optional*): environment variable with the endpoint's key.
        prompt (`str`): the instruction.
        concurrency, retries, timeout, requests_per_minute: of the endpoint.
        batch_size, max_new_tokens: of a local model.
        settings (`dict`): of the request, or of `generate`.
        price ([`Price`], *optional*): to count what it costs.
        checks ([`Checks`]): when a reply may replace the text.
        licence (`str`, *optional*): of the model, or the terms of the service, for the card.
    """

    rules: bool = False
    endpoint: str | None = None
    model: str | None = None
    key_variable: str | None = None
    prompt: str = INSTRUCTION
    concurrency: Annotated[int, Field(ge=1)] = 8
    retries: Annotated[int, Field(ge=0)] = 5
    timeout: Annotated[float, Field(gt=0)] = 120.0
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    batch_size: Annotated[int, Field(ge=1)] = 8
    max_new_tokens: Annotated[int, Field(ge=1)] = 512
    settings: dict[str, Any] = {}
    price: Price | None = None
    checks: Checks = Checks()
    licence: str | None = None

    @field_validator("endpoint")
    @classmethod
    def _is_an_address(cls, endpoint: str | None) -> str | None:
        if endpoint is not None:
            parts = urlsplit(endpoint)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"must be an address such as https://host/v1 (got {endpoint!r})")
            if parts.username or parts.password or parts.query:  # it is shown and kept
                raise ValueError("must not contain a key or a password: name an environment variable in key_variable")
        return endpoint

    @model_validator(mode="after")
    def _has_one_mender(self) -> "Mend":
        if self.from_ is None and self.rules == (self.model is not None):
            raise ValueError("needs one of rules: true, model: NAME, or from: FILE")
        if self.model is None and (self.endpoint or self.key_variable):
            raise ValueError("endpoint and key_variable go with model: NAME")
        return self


class Score(Section):
    """
    Args:
        model (`str`): folder or Hub id of a model with image and text features, such as CLIP or SigLIP.
        at_least (`float`): cosine of both, below which a row is dropped.
        batch_size (`int`): rows scored at once.
    """

    model: str
    at_least: float
    batch_size: Annotated[int, Field(ge=1)] = 8


class Filter(Step):
    """
    Rules; `null` or `false` in place of a value turns a rule off.

    Args:
        failures (`list[str]` or `bool`): which failures of [`minigpt4.evaluation.scoring.failure_rate.failures`] drop a text;
            `true` for all.
        leftovers (`bool`): parts of prompts, and apologies.
        min_words, max_words (`int`, *optional*): length of a text.
        similar_texts (`float`, *optional*): Jaccard similarity of three-word shingles from which two texts are duplicates.
        similar_images (`int`, *optional*): bits of 64 by which the perceptual hashes of duplicates differ at most.
        score ([`Score`], *optional*): how well image and text go together.
    """

    failures: list[str] | bool = True
    leftovers: bool = True
    min_words: Annotated[int, Field(ge=1)] | None = 10
    max_words: Annotated[int, Field(ge=1)] | None = 400
    similar_texts: Annotated[float, Field(gt=0, le=1)] | None = 0.9
    similar_images: Annotated[int, Field(ge=0, le=16)] | None = 2
    score: Score | None = None


class Review(Step):
    """
    Args:
        reviewer (`str`): who reviews, for the table and the card.
        double_check (`float`): share of the rows that is shown a second time.
        seed (`int`): decides which.
    """

    reviewer: str = "reviewer"
    double_check: Share = 0.05
    seed: int = 0


class Export(Section):
    """
    Args:
        argilla (`bool`): write records for Argilla, too.
        repo (`str`, *optional*): name of a data set on the Hub to push to.
        private (`bool`): make it private.
        title (`str`): of the card.
        license (`str`, *optional*): of the data set, as the Hub calls it.
    """

    argilla: bool = False
    repo: str | None = None
    private: bool = False
    title: str = "Descriptions for stage 2 of MiniGPT-4"
    license: str | None = None


class Recipe(Section):
    """
    A whole recipe. A step that it does not name is not run.

    Args:
        output (`str`): folder for the table and what is exported.
        language (`str`, *optional*): ISO 639-1 code of the texts' only language; `null` for any.
    """

    output: str
    language: str | None = "en"
    source: Source
    generate: Generate
    continue_: Annotated[Continue | None, Field(alias="continue")] = None
    mend: Mend | None = None
    filter: Filter | None = None
    review: Review | None = None
    export: Export = Export()

    @property
    def steps(self) -> list[str]:
        """The steps that it has, in their order."""
        return [step for step in STEPS if self.section(step) is not None]

    def section(self, step: str) -> Any:
        return getattr(self, "continue_" if step == "continue" else step)


def read_recipe(path: str | Path) -> Recipe:
    """
    Read a recipe.

    Args:
        path (`str` or `Path`): a YAML file. Relative paths in it are relative to the working directory.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a key is unknown, or a value is not of its type.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no recipe {str(path)!r}: give a YAML file; docs/curate.md shows one.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a recipe: it must be a mapping, with 'key: value' on each line.")
    content = {
        key: {} if value is None and key in STEPS else value for key, value in content.items()
    }  # `filter:` alone
    try:
        return Recipe(**content)
    except ValidationError as error:
        raise ValueError(f"Recipe {path}: {_one_line(error)}") from error


def check_steps(recipe: Recipe, steps: Sequence[str]) -> list[str]:
    """
    The steps to run, in their order: those named, or all that the recipe has.

    Raises:
        ValueError: one of them does not exist, or is not in the recipe.
    """
    for step in steps:
        if step not in STEPS:
            close = get_close_matches(step, STEPS, n=1)
            raise ValueError(f"Unknown step {step!r}: {f'did you mean {close[0]!r}?' if close else ', '.join(STEPS)}")
        if step not in recipe.steps:
            raise ValueError(f"The recipe has no {step}: add a line '{step}:' to it.")
    return [step for step in recipe.steps if not steps or step in steps]


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    *sections, key = [str(part) for part in first["loc"]] or [""]
    where = ".".join([*sections, key])
    if first["type"] == "extra_forbidden":
        names = _keys(sections)
        close = get_close_matches(key, names, n=1)
        return f"unknown key {where!r}: {f'did you mean {close[0]!r}?' if close else 'known are ' + ', '.join(names)}"
    if first["type"] == "missing":
        return f"{where} is missing"
    message = first["msg"].removeprefix("Value error, ")
    got = "" if isinstance(first["input"], dict) or "(got" in message else f" (got {first['input']!r})"
    return f"{where}: {message[0].lower()}{message[1:]}{got}"


def _keys(sections: Sequence[str]) -> list[str]:
    section: Any = Recipe
    for name in sections:
        fields = {field.alias or key: field.annotation for key, field in section.model_fields.items()}
        kinds = getattr(fields[name], "__args__", (fields[name],))
        section = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section))
    return [field.alias or key for key, field in section.model_fields.items()]
