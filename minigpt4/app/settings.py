"""How answers are generated: the settings of the page, and what they mean for `generate`."""

from typing import TYPE_CHECKING, Any

import gradio as gr


if TYPE_CHECKING:
    from transformers import GenerationConfig

LONGEST = 2000  # tokens of an answer
MOST_BEAMS = 8


def show_settings(config: "GenerationConfig") -> list[Any]:
    """The components, which start from the checkpoint's settings; their values are the arguments of `read_settings`."""
    longest = gr.Slider(
        1,
        LONGEST,
        value=min(config.max_new_tokens or 300, LONGEST),
        step=1,
        label="Maximum length of an answer, in tokens",
    )
    beams = gr.Slider(
        1,
        MOST_BEAMS,
        value=min(config.num_beams or 1, MOST_BEAMS),
        step=1,
        label="Beams",
        info="More than one: several answers are followed at once, and the best is shown at its end.",
    )
    sample = gr.Checkbox(value=bool(config.do_sample), label="Sample: answers vary")
    how: dict[str, Any] = {"interactive": bool(config.do_sample)}
    temperature = gr.Slider(0.1, 2.0, value=config.temperature or 1.0, step=0.05, label="Temperature", **how)
    top_p = gr.Slider(0.05, 1.0, value=config.top_p or 1.0, step=0.05, label="Top p", **how)
    sample.change(
        lambda on: [gr.Slider(interactive=bool(on))] * 2,
        sample,
        [temperature, top_p],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
    return [longest, beams, sample, temperature, top_p]


def read_settings(
    max_new_tokens: float, num_beams: float, do_sample: bool, temperature: float, top_p: float
) -> dict[str, Any]:
    """The settings as keyword arguments of `generate`."""
    sampling = {"temperature": float(temperature), "top_p": float(top_p)} if do_sample else {}
    beams = min(max(1, int(num_beams)), MOST_BEAMS)
    return {"max_new_tokens": int(max_new_tokens), "num_beams": beams, "do_sample": bool(do_sample), **sampling}
