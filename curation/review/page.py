"""The page for a reviewer: picture beside text, one key for each decision."""

from html import escape
from importlib.resources import files
from threading import Event
from typing import Any

import gradio as gr

from minigpt4.processing.image_loading import load_image

from .deciding import EDIT, Reviewing
from .difference import difference


LARGEST = (1200, 900)  # pixels of the picture that is shown
NOT_THIS = "This row was decided in another window."


def build_review_page(reviewing: Reviewing, finished: Event) -> gr.Blocks:
    """
    The page of one review.

    Args:
        reviewing ([`Reviewing`]): what is shown and decided.
        finished (`Event`): set when the reviewer ends the review.
    """
    static = files(__package__) / "static"
    style, script = ((static / name).read_text(encoding="utf-8") for name in ("review.css", "review.js"))

    def show(note: str = "") -> tuple[Any, ...]:
        shown = reviewing.current
        said = f'<p role="alert">{escape(note)}</p>' if note else ""
        progress = _progress(reviewing)
        if shown is None:
            words = f"<p>Nothing is left to review.{_agreement(reviewing)}</p>"
            return "", None, words, "", progress, said
        picture = load_image(shown.picture).copy()
        picture.thumbnail(LARGEST)
        look = "<p class='second'>A second look: decide as if it were the first.</p>" if shown.second else ""
        words = f"{look}<p class='text'>{difference(shown.before, shown.text)}</p>"
        return shown.id, picture, words, shown.text, progress, said

    def decide(decision: str) -> Any:
        def act(name: str, text: str) -> tuple[Any, ...]:
            try:
                known = reviewing.decide(name, decision, text)
            except ValueError as error:
                return show(str(error))
            return show("" if known else NOT_THIS)

        return act

    def undo() -> tuple[Any, ...]:
        return show("" if reviewing.undo() else "There is nothing to undo.")

    def finish() -> tuple[Any, ...]:
        finished.set()
        return show("Everything is saved. You can close this window.")

    with gr.Blocks(title="Review", analytics_enabled=False) as page:
        gr.HTML(f"<style>{style}</style>", padding=False)
        name = gr.Textbox(visible=False)
        progress = gr.HTML(elem_id="progress")
        with gr.Row():
            picture = gr.Image(
                elem_id="picture",
                type="pil",
                format="png",
                interactive=False,
                show_label=False,
                label="Picture",
                buttons=[],
            )
            with gr.Column():
                words = gr.HTML(elem_id="words")
                text = gr.Textbox(
                    elem_id="edit", label="Text (E to edit, Ctrl+Enter to save, Esc to leave)", lines=6, max_lines=20
                )
                notice = gr.HTML(elem_id="notice")
                with gr.Row():
                    keep = gr.Button("Keep (K)", variant="primary", elem_id="keep", min_width=60, size="sm")
                    save = gr.Button("Save edit (S)", elem_id="save", min_width=60, size="sm")
                    drop = gr.Button("Drop (D)", variant="stop", elem_id="drop", min_width=60, size="sm")
                    back = gr.Button("Undo (U)", elem_id="undo", min_width=60, size="sm")
                    end = gr.Button("Finish (F)", elem_id="finish", min_width=60, size="sm")
        shown = [name, picture, words, text, progress, notice]
        options: dict[str, Any] = {
            "outputs": shown,
            "concurrency_id": "review",
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        for button, decision in ((keep, "keep"), (save, EDIT), (drop, "drop")):
            button.click(decide(decision), [name, text], **options)
        back.click(undo, **options)
        end.click(finish, **options)
        page.load(show, **options)
        page.load(None, js=script)
    return page


def _progress(reviewing: Reviewing) -> str:
    done, wanted = reviewing.progress
    return f"<label>{done} of {wanted} <progress max='{max(1, wanted)}' value='{done}'></progress></label>"


def _agreement(reviewing: Reviewing) -> str:
    same, looks = reviewing.agreement
    return f" {same} of {looks} second looks led to the same decision." if looks else ""
