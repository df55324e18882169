"""What a conversation is made of: messages of the user, and answers."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Answer:
    """
    An answer of the model, wherever it was asked.

    Args:
        text (`str`): without the mark that ends it.
        finished (`bool`):
            False where the answer was stopped, or reached the limit of new tokens or of the model, before its end.
        ids (`tuple[int, ...]`, *optional*):
            The new tokens as generated, with the padding of a batch; empty where only the text is known.
    """

    text: str
    finished: bool
    ids: tuple[int, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True)
class Turn:
    """A message of the user, the pictures shown with it, and the answer."""

    text: str
    pictures: "tuple[Image, ...]"
    answer: Answer


def user_turn(text: str, *images: Any) -> dict:
    """
    A message of the user: the images first, then the text, as MiniGPT-4 was trained.

    Raises:
        ValueError: the text is not valid Unicode, but bytes in another encoding than the terminal's.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the text {text!a} contains bytes that are not UTF-8: type it again") from error
    return {
        "role": "user",
        "content": [*({"type": "image", "image": image} for image in images), {"type": "text", "text": text}],
    }
