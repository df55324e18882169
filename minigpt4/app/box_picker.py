"""A picture on which the user draws a box."""

from typing import Any

import gradio as gr

from minigpt4.app.drawn_component import drawn_component


def box_picker(**kwargs: Any) -> gr.HTML:
    """Shows a picture (`picture`, an address); its value is the box, `[x1, y1, x2, y2]` in hundredths, or `None`.

    Drawn with the mouse or a finger. With the keyboard: arrow keys move it, with Shift they move its far corner.
    """
    return drawn_component("box_picker", picture="", **kwargs)
