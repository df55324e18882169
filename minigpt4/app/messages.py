"""Messages as the page shows them: data for `static/chat_log.html`, in which all `html` is safe to show as it is."""

import html
from functools import lru_cache
from typing import Any

import gradio as gr
from markdown_it import MarkdownIt

from minigpt4.app.boxes import boxes_over, placed_text, words_with_boxes
from minigpt4.processing.boxes import parse_grounding


# HTML in answers stays text, and nothing links out of the page.
_MARKDOWN = (
    MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").disable(["image", "link", "autolink"])
)


def user_message(
    turn: int, text: str, pictures: list[str], boxes: str = "", about: str | None = None
) -> dict[str, Any]:
    """
    What a user sent.

    Args:
        turn (`int`): the number of the turn.
        text (`str`): what was typed.
        pictures (`list[str]`): files of the pictures sent with it.
        boxes (`str`, *optional*): text with the boxes meant.
        about (`str`, *optional*): the file with the picture that the boxes are on.
    """
    return {
        "role": "user",
        "turn": turn,
        "text": text,
        "html": html.escape(text),
        "pictures": [_file(each) for each in pictures],
        "view": _view(boxes, about),
    }


def answer_message(turn: int, answer: str, boxed: bool, about: str | None, drawn: str | None = None) -> dict[str, Any]:
    """
    What the model answered.

    Args:
        turn (`int`): the number of the turn.
        answer (`str`): as the model wrote it.
        boxed (`bool`): whether the model writes boxes; otherwise answers are Markdown.
        about (`str`, *optional*): the file with the picture that the boxes are on.
        drawn (`str`, *optional*): the file with the boxes drawn onto that picture.
    """
    return {
        "role": "bot",
        "turn": turn,
        "text": placed_text(parse_grounding(answer)) or answer if boxed else answer,
        "html": _words(answer, boxed),
        "pictures": [],
        "view": _view(answer, about, drawn) if boxed else None,
    }


def _view(text: str, about: str | None, drawn: str | None = None) -> dict[str, Any] | None:
    """A picture and the boxes over it; `None` where there are none."""
    boxes = boxes_over(parse_grounding(text)) if about and text else []
    return {"picture": _file(about), "drawn": drawn and _file(drawn), "boxes": boxes} if boxes and about else None


def _file(path: str) -> dict[str, Any]:
    """A file that Gradio serves: it adds `url`."""
    return gr.FileData(path=path).model_dump()


@lru_cache(maxsize=512)  # a long conversation is rendered many times a second
def _words(answer: str, boxed: bool) -> str:
    if not boxed:
        return _MARKDOWN.render(answer)
    return f"<p>{words_with_boxes(parse_grounding(answer)) or html.escape(answer)}</p>"
