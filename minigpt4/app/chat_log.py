"""The conversation on the page."""

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from minigpt4.app.drawn_component import drawn_component


if TYPE_CHECKING:
    from minigpt4.app.examples import Example


def chat_log(examples: "Sequence[Example]", **kwargs: Any) -> gr.HTML:
    """Shows messages, as `minigpt4.app.messages` makes them; without any, the examples.

    Events: `example_select` with the `index` of the example, `retry`, and `edit` with `turn` and `text`.
    """
    offered = [{"text": html.escape(each.text), "address": each.address} for each in examples]
    return drawn_component(
        "chat_log", "boxes", value=[], examples=offered, editing=None, apply_default_css=False, **kwargs
    )
