"""Components that the page draws itself, from their files in `static/`."""

from importlib.resources import files
from typing import Any

import gradio as gr


def read(name: str) -> str:
    """The text of a file in `static/`."""
    return (files(__package__) / "static" / name).read_text(encoding="utf-8")


def drawn_component(name: str, *more: str, **kwargs: Any) -> gr.HTML:
    """The component of `static/NAME.html`, with the styles and scripts of that name and of those in `more`."""
    parts = (name, *more)
    return gr.HTML(
        html_template=read(f"{name}.html"),
        css_template="\n".join(read(f"{part}.css") for part in parts),
        js_on_load="\n".join(read(f"{part}.js") for part in parts),
        **kwargs,
    )
