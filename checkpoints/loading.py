"""Loading a checkpoint for the commands: whole, or not at all."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Processor


def load(
    checkpoint: str | Path | None = None, trust_remote_code: bool = False
) -> "tuple[MiniGPT4ForConditionalGeneration, MiniGPT4Processor]":
    """Load a model and its processor, ready for inference on the best device there is.

    Args:
        checkpoint: A folder or a Hub id, of a model, or of an adapter, which is put into the model that it names.
            Default: nano.
        trust_remote_code: Run code that the checkpoint brings for its tokenizer or processors. Without it, a checkpoint that
            needs such code is refused; nobody is asked.

    Raises:
        FileNotFoundError: There is no such folder, and the name is no Hub id that can be reached.
        ValueError: The folder is no MiniGPT-4 checkpoint, or its weights are not exactly those of its configuration
            (`from_pretrained` would fill missing weights with random ones and go on), or of its adapter.
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from minigpt4 import nano_path
    from minigpt4.checkpoints.remote_code import naming_refused_code

    name = str(nano_path() if checkpoint is None else checkpoint)
    base = _model_of(name)
    with naming_refused_code(name, base), _loading(name):
        model, report = AutoModelForImageTextToText.from_pretrained(
            base,
            dtype="auto",
            device_map="auto",
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            trust_remote_code=trust_remote_code,
        )
        # Training saves the processor beside its adapters, PEFT alone does not.
        processor = AutoProcessor.from_pretrained(
            name if Path(name, "processor_config.json").is_file() else base, trust_remote_code=trust_remote_code
        )
    _check_is_whole(base, report)
    if base != name:
        with _loading(name):
            model.load_adapter(name)
    return model.eval(), processor


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """No progress bar for reading weights (downloads keep theirs), and one line for whatever goes wrong."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        yield
    except Exception as error:
        raise ValueError(f"cannot load the checkpoint {name}: {_first_line(error)}") from error
    finally:
        logging.enable_progress_bar()


def _model_of(name: str) -> str:
    """The MiniGPT-4 that is loaded for `name`: itself, or the one that an adapter belongs to."""
    from transformers.utils.peft_utils import find_adapter_config_file

    if Path(name, "config.json").is_file() or Path(name).is_file():
        file = None
    else:
        try:
            file = find_adapter_config_file(name)
        except OSError:  # no model either: said below
            file = None
    if file is None:
        check_is_checkpoint(name)
        return name
    try:
        base = json.loads(Path(file).read_text(encoding="utf-8")).get("base_model_name_or_path")
        if not base:
            raise ValueError(f"{file} says no base_model_name_or_path")
        check_is_checkpoint(base)
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot load the adapter {name} without its model: {_first_line(error)}") from error
    return base


def check_is_checkpoint(name: str) -> None:
    """Refuse, in a line, what is no folder or Hub id of a whole MiniGPT-4, before anything is loaded."""
    from transformers import PreTrainedConfig

    folder = Path(name)
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise ValueError(f"{name} is no checkpoint: it holds no config.json")
    if folder.is_file():
        raise ValueError(f"{name} is a file; give the folder of a checkpoint or a Hub id")
    try:
        config, _ = PreTrainedConfig.get_config_dict(name)
    except Exception as error:
        if folder.is_dir():
            raise ValueError(f"{folder / 'config.json'} cannot be read: {_first_line(error)}") from error
        raise FileNotFoundError(
            f"{name} is neither a folder here nor a model that the Hub gives out: {_first_line(error)}"
        ) from error
    if not isinstance(config, dict):
        raise ValueError(f"{name}/config.json holds a {type(config).__name__}, where settings are needed")
    if config.get("model_type") != "minigpt4":
        raise ValueError(f"{name} is no MiniGPT-4 checkpoint: its model_type is {config.get('model_type')!r}")


def _check_is_whole(name: str, report: dict) -> None:
    problems = []
    for kind in ("missing", "unexpected", "mismatched"):
        # A mismatched key comes with the two shapes that do not agree.
        keys = sorted(key if isinstance(key, str) else key[0] for key in report[f"{kind}_keys"])
        if keys:
            shown = ", ".join(keys[:3]) + (", …" if len(keys) > 3 else "")
            problems.append(f"{len(keys)} {'of another shape' if kind == 'mismatched' else kind} ({shown})")
    if problems:
        raise ValueError(
            f"the weights in {name} do not fit its config.json: {'; '.join(problems)}; save or convert it again"
        )


def _first_line(error: Exception) -> str:
    line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return shorten(line, 240, placeholder=" … (minigpt4 --debug shows all)")
