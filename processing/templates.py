"""The chat templates of the three families, as published."""

from importlib.resources import files


def chat_template(family: str) -> str:
    """
    Read a chat template that comes with the package, for `MiniGPT4Processor(chat_template=…)`.

    Args:
        family (`str`): `"vicuna"`, `"llama2"` or `"v2"`.

    Returns:
        `str`: Jinja source. It takes messages whose content is a string or a list of text and image items.

    Raises:
        ValueError: an unknown family.
    """
    folder = files(__package__) / "chat_templates"
    if not (template := folder / f"{family}.jinja").is_file():
        known = ", ".join(sorted(file.name.removesuffix(".jinja") for file in folder.iterdir()))
        raise ValueError(f"There is no chat template {family!r}: choose one of {known}.")
    return template.read_text(encoding="utf-8")
