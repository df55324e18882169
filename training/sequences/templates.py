"""The form chats have in training, where it is not that of inference."""

from importlib.resources import files
from pathlib import Path

from minigpt4.processing.templates import chat_template


def training_template(name: str | Path) -> str:
    """
    Read a training template: Jinja with `{% generation %}` around every answer and its end.

    Published chats end only the last answer, as generation needs it; in training every answer ends, in `###` (`vicuna`)
    or the tokenizer's end token (`llama2`, `v2`). For `SFTTrainer`, set it as `processor.chat_template`.

    Args:
        name (`str` or `Path`): `"vicuna"`, `"llama2"`, `"v2"`, or the path of a `.jinja` file.

    Returns:
        `str`: its source, which takes messages as `apply_chat_template` does.

    Raises:
        ValueError: there is no such template, or it marks nothing as learned.
    """
    folder = files(__package__) / "chat_templates"
    file = Path(name) if str(name).endswith((".jinja", ".j2")) else folder / f"{name}.jinja"
    if not file.is_file():
        known = ", ".join(sorted(file.name.removesuffix(".jinja") for file in folder.iterdir()))
        raise ValueError(f"There is no training template {str(name)!r}: give a .jinja file, or one of {known}.")
    source = file.read_text(encoding="utf-8")
    if "generation" not in source:
        raise ValueError(
            f"{name} marks nothing as learned: put {{% generation %}} … {{% endgeneration %}} around answers."
        )
    return source


def trained_form(saved: str) -> str:
    """
    The form in which a model that answers in a chat template is trained.

    Args:
        saved (`str`): the chat template of its processor.

    Returns:
        `str`: the [`training_template`] of the same family, where it is one of the published chat templates; else itself.
    """
    twins = (file.name.removesuffix(".jinja") for file in (files(__package__) / "chat_templates").iterdir())
    return next((training_template(name) for name in twins if chat_template(name) == saved), saved)
