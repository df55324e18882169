"""Loading a checkpoint for the commands: completely, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .fit import refuse_misfit
from .identity import CheckpointError, first_line, identify, model_type_of
from .own_thread import in_own_thread
from .precision import read_suited
from .remote_code import naming_refused_code


if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

    from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
    from minigpt4.processing import MiniGPT4Processor


def load(
    checkpoint: str | Path, trust_remote_code: bool = False, dtype: str = "auto", device_map: Any = "auto"
) -> "tuple[MiniGPT4ForConditionalGeneration, MiniGPT4Processor]":
    """
    Load a model and its processor, ready for inference on the best available device.

    Args:
        checkpoint (`str` or `Path`):
            Folder or Hub id of a model, or of an adapter, which is loaded into the model that it names.
        trust_remote_code (`bool`, *optional*, defaults to `False`):
            Run code that the checkpoint brings for its tokenizer or processors. Without it, a checkpoint that needs such
            code is refused, without a prompt.
        dtype (`str`, *optional*, defaults to `"auto"`):
            Of the weights, as `"bfloat16"`. Default: as they are stored, but never float16 on a CPU: bfloat16 there if it
            multiplies that, else float32. A [`~minigpt4.checkpoints.precision.PrecisionWarning`] says so.
        device_map (*optional*, defaults to `"auto"`): As for `from_pretrained`.

    Returns:
        `tuple[MiniGPT4ForConditionalGeneration, MiniGPT4Processor]`: the model in eval mode, and its processor.

    Raises:
        CheckpointError: it is not a MiniGPT-4 checkpoint, or cannot be read.
        ValueError: its weights do not match its configuration exactly (`from_pretrained` would initialise missing ones at
            random), or its adapter's do not match the model.
    """
    return in_own_thread(_load, str(checkpoint), trust_remote_code, dtype, device_map)


def load_any(
    checkpoint: str | Path, trust_remote_code: bool = False, dtype: str = "auto", device_map: Any = "auto"
) -> "tuple[PreTrainedModel, ProcessorMixin]":
    """
    As [`load`], of any image-text-to-text checkpoint that transformers knows.

    Raises:
        CheckpointError: it is not a checkpoint, or cannot be read.
        ValueError: its weights do not match its configuration exactly.
    """
    name = str(checkpoint)
    if model_type_of(name) in (None, "minigpt4"):
        return load(name, trust_remote_code, dtype, device_map)
    return in_own_thread(_read, name, (name, None), (name, None), trust_remote_code, dtype, device_map)


def _load(name: str, trust_remote_code: bool, dtype: str, device_map: Any) -> tuple[Any, Any]:
    found = identify(name)
    base, beside = found.base, found.with_processor
    model, processor = _read(
        name, (base.name, base.revision), (beside.name, beside.revision), trust_remote_code, dtype, device_map
    )
    if base.name != name:
        with _loading(name):
            model.load_adapter(name)
    return model.eval(), processor


def _read(
    name: str,
    weights: tuple[str, str | None],
    beside: tuple[str, str | None],
    trust_remote_code: bool,
    dtype: str,
    device_map: Any,
) -> tuple[Any, Any]:
    """The model of `weights` and the processor that is `beside`, each a name with its revision, of the checkpoint `name`."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    def read(precision: str) -> tuple[Any, Any]:
        return AutoModelForImageTextToText.from_pretrained(
            weights[0],
            revision=weights[1],
            dtype=precision,
            device_map=device_map,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            trust_remote_code=trust_remote_code,
        )

    with naming_refused_code(name, weights[0]), _loading(name):
        model, report = read_suited(read, dtype, itemgetter(0))
        processor = AutoProcessor.from_pretrained(beside[0], revision=beside[1], trust_remote_code=trust_remote_code)
    refuse_misfit(weights[0], report)
    return model.eval(), processor


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """No progress bar for reading weights (downloads keep theirs), and one line for whatever goes wrong."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        yield
    except Exception as error:
        raise CheckpointError(f"cannot load the checkpoint {name}: {first_line(error)}") from error
    finally:
        logging.enable_progress_bar()
