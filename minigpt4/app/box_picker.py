"""A picture on which the user draws a box."""

from importlib.resources import files
from typing import Any

import gradio as gr


_FILES = files(__package__) / "static"


class BoxPicker(gr.HTML):
    """Shows a picture (`picture`, an address); its value is the box, `[x1, y1, x2, y2]` in hundredths, or `None`.

    Drawn with the mouse or a finger. With the keyboard: arrow keys move it, with Shift they move its far corner.
    """

    def __init__(self, value: Any = None, picture: str = "", **kwargs: Any) -> None:
        super().__init__(
            value=value,
            picture=picture,
            html_template=(_FILES / "box_picker.html").read_text(encoding="utf-8"),
            css_template=(_FILES / "box_picker.css").read_text(encoding="utf-8"),
            js_on_load=(_FILES / "box_picker.js").read_text(encoding="utf-8"),
            **kwargs,
        )

    def api_info(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "number"}}
