"""A picture on which the user draws a box."""

from importlib.resources import files
from typing import Any

import gradio as gr


def box_picker(**kwargs: Any) -> gr.HTML:
    """Shows a picture (`picture`, an address); its value is the box, `[x1, y1, x2, y2]` in hundredths, or `None`.

    Drawn with the mouse or a finger. With the keyboard: arrow keys move it, with Shift they move its far corner.
    """
    folder = files(__package__) / "static"
    template, style, script = (
        (folder / f"box_picker.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
    )
    return gr.HTML(picture="", html_template=template, css_template=style, js_on_load=script, **kwargs)
