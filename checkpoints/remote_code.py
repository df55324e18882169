"""Which code runs: this package's and transformers'. A checkpoint's own code runs only after explicit consent."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import wrapt


# Files in which a checkpoint may name its own code, under `auto_map`.
FILES = (
    "config.json",
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "tokenizer_config.json",
)
OWN = "_minigpt4."  # our modules, which travel with a checkpoint for those who have not installed this package
ADVICE = "read it, and pass --trust-remote-code if you trust it"


def never_ask() -> None:
    """
    Make transformers refuse what it would ask about on stdin, where piped text counts as an answer.

    Passing `trust_remote_code=False` is not enough: on some ways from class to class transformers loses it.
    """

    def no_time_to_answer(dynamic_module_utils) -> None:
        dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0

    wrapt.when_imported("transformers.dynamic_module_utils")(no_time_to_answer)


@contextmanager
def naming_refused_code(*names: str | Path, revision: str | None = None, advice: str = ADVICE) -> Iterator[None]:
    """
    Where transformers refuses to run a checkpoint's own code, report in one line which file asks for it.

    Transformers decides whether code is needed: if it or this package has the class, that one is used and the
    checkpoint's copy does not run.

    Args:
        names (`str` or `Path`): folders or Hub ids to load from.
        revision (`str`, *optional*): revision on the Hub.
        advice (`str`, *optional*): ends the message.

    Raises:
        ValueError: code was refused.
    """
    try:
        yield
    except Exception as error:
        if not _is_refusal(error):
            raise
        found = [one for name in dict.fromkeys(map(str, names)) for one in _named_code(name, revision)]
        # Our own module is refused, too, if the class next to it is not ours.
        file, code = next((one for one in found if OWN not in one[1]), found[0] if found else (str(names[0]), "code"))
        raise ValueError(
            f"{file} names code of its own, {code}, which does not run without consent: {advice}."
        ) from error


def _is_refusal(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ValueError) and "trust_remote_code=True" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _named_code(name: str, revision: str | None) -> Iterator[tuple[str, str]]:
    """Files of a checkpoint that name code, and what they name."""
    from transformers.utils import cached_file

    for file in FILES:
        path = cached_file(
            name,
            file,
            revision=revision,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
        if path is not None:
            for code in _auto_maps(json.loads(Path(path).read_text(encoding="utf-8"))):
                yield f"{name}/{file}", repr(code)


def _auto_maps(content: object) -> Iterator[str]:
    """What the `auto_map`s in a configuration and in the configurations inside it name."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _texts(value) if key == "auto_map" else _auto_maps(value)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
