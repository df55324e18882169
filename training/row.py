"""The record that a sample is from the data to the sequences; the only place that knows its keys."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, cast


class Row(TypedDict, total=False):
    """
    A sample. Your own rows have `image` and `text`, or `images` and `messages`; the other keys are added on reading.

    Keys:
        image: in any form that the processor takes, or an undecoded file of `datasets`.
        images: several of them, in the order of their placeholders.
        text (`str`): the answer to one of the recipe's prompts.
        messages: a chat, as `apply_chat_template` takes it.
        row, epoch (`int`): the number of the row, and the pass it is read in. They seed its random choices.
        source (`str`): the place that reports and errors show.
        task (`str`): what a published set teaches.
        broken (`str`, *optional*): why a sample of a stream cannot be used.
    """

    image: Any
    images: Sequence[Any]
    text: str
    messages: list[dict[str, Any]]
    row: int
    epoch: int
    source: str
    task: str
    broken: str | None


def number_row(row: Mapping, number: int, epoch: int = 0, source: str | None = None) -> Row:
    """The row with its number and epoch, and with a `source` unless it has its own."""
    return cast(Row, {**({"source": source} if source else {}), **row, "row": number, "epoch": epoch})


def row_name(row: Row) -> str:
    """The name of a row in error messages."""
    return f"Row {row['row']}" if "row" in row else "A row"


def row_images(row: Row) -> list:
    """The images of a row, in their original form."""
    if row.get("images"):
        return [_image(image) for image in row["images"]]
    return [] if row.get("image") is None else [_image(row["image"])]


def replace_images(row: Row, images: Sequence) -> Row:
    """The row with `images` in place of its own, one for each."""
    if not images:
        return row
    return {**row, "images": images} if row.get("images") else {**row, "image": images[0]}


def row_texts(row: Row) -> list[str]:
    """All texts of a row, those of its messages one by one."""
    contents = [message["content"] for message in row.get("messages") or []] or [row["text"]]
    return [text for content in contents for text in ([content] if isinstance(content, str) else _parts(content))]


def _parts(content: Sequence[Mapping]) -> list[str]:
    return [part["text"] for part in content if part["type"] == "text"]


def _image(image):
    """Undecoded, `datasets` gives a path, with or without the bytes of the file."""
    if isinstance(image, Mapping):
        return image["bytes"] if image.get("bytes") is not None else image["path"]
    return image
