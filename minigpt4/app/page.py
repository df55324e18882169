"""The page: its components and their events."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from minigpt4.app.actions import LIFETIME, Actions
from minigpt4.app.box_picker import box_picker
from minigpt4.app.chat_log import chat_log
from minigpt4.app.drawn_component import read
from minigpt4.app.heading import heading
from minigpt4.app.settings import show_settings
from minigpt4.app.tasks import known_tasks, task_text
from minigpt4.app.visitors import Visitor
from minigpt4.inference.engine import MOST_ROWS


if TYPE_CHECKING:
    from minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Processor


def build_page(
    model: "MiniGPT4ForConditionalGeneration",
    processor: "MiniGPT4Processor",
    about: str = "",
    at_once: int = MOST_ROWS,
) -> gr.Blocks:
    """
    The page for one model, for any number of users at once; [`serve`] puts it on the network.

    Args:
        model (`MiniGPT4ForConditionalGeneration`), processor (`MiniGPT4Processor`): tasks and the drawing of boxes are
            offered if the processor has `task_identifiers`.
        about (`str`, *optional*): one line about the model, in Markdown.
        at_once (`int`, *optional*, defaults to 16): questions that are answered together, at most; others wait.

    Returns:
        `gradio.Blocks`: not served yet.
    """
    tasks = known_tasks(processor.task_identifiers)
    # Pictures and chats of visitors who left are deleted after an hour.
    with gr.Blocks(
        title="MiniGPT-4: talk about pictures",
        fill_height=True,
        analytics_enabled=False,
        delete_cache=(LIFETIME, LIFETIME),
    ) as page:
        gr.Markdown(heading(model, processor, about), elem_id="title")
        actions = Actions(model, processor, at_once)
        log = chat_log(actions.examples, elem_id="chat")
        notice = gr.HTML(visible=False, elem_id="notice")
        picker = box_picker(visible=False, elem_id="picker")
        task = gr.Radio(
            [("Chat", ""), *((known.label, name) for name, known in tasks.items())],
            value="",
            label="Task",
            show_label=False,
            container=False,
            visible=bool(tasks),
            elem_id="task",
        )
        textbox = gr.MultimodalTextbox(
            elem_id="textbox",
            show_label=False,
            label="Your message",
            placeholder="Ask, or drop pictures anywhere",
            file_types=["image"],
            file_count="multiple",
            sources=["upload"],
            max_plain_text_length=100_000,
        )
        with gr.Row(elem_id="buttons"):
            retry = gr.Button("Answer again", size="sm", min_width=80)
            clear = gr.Button("New chat", size="sm", min_width=80)
            undo = gr.Button("Back to the chat before", size="sm", min_width=80, visible=False, elem_id="undo")
            with gr.Accordion("Settings", open=False, elem_id="settings"):
                choices = show_settings(model.generation_config)
                with gr.Row():
                    as_markdown = gr.Button("Save as Markdown", size="sm")
                    as_json = gr.Button("Save as JSON", size="sm")
                    open_saved = gr.UploadButton("Open a saved chat", size="sm", file_types=[".md", ".json"])
        visitor, aimed = gr.State(Visitor(), time_to_live=LIFETIME), gr.State()
        key, saved = gr.Textbox(visible="hidden"), gr.Textbox(visible="hidden")
        resume, listen = (gr.Button(visible="hidden", elem_id=name) for name in ("resume", "listen"))

        talk: dict[str, Any] = {
            "outputs": [visitor, log, textbox, notice],
            "concurrency_limit": None,
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        talking = [
            # `multiple`: a message sent while the call before is ending is not dropped.
            textbox.submit(actions.send, [textbox, picker, visitor, *choices], **talk, trigger_mode="multiple"),
            log.example_select(actions.begin, [visitor, *choices], **talk),
            retry.click(actions.retry, [visitor, *choices], **talk),
            log.retry(actions.retry, [visitor, *choices], **talk),
            log.edit(actions.edit, [visitor, *choices], **talk),
        ]
        textbox.stop(actions.stop, visitor, None, concurrency_limit=None, queue=False, api_visibility="private")
        quiet: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}
        arriving = page.load(actions.arrive, [key, visitor], js=read("arrive.js"), **talk)
        # The browser sends the chat that it kept only if the server shows none.
        lost = "async (saved, visitor, said) => [said?.length ? '' : await window.minigpt4.kept_chat(), visitor, []]"
        reopening = arriving.then(actions.reopen, [saved, visitor, log], js=lost, **talk)
        resume.click(actions.resume, visitor, **talk)
        listen.click(lambda: None, None, None, **quiet, trigger_mode="multiple")
        clearing = clear.click(actions.clear, visitor, **talk)
        undoing = undo.click(actions.undo, visitor, **talk)
        opening = open_saved.upload(actions.open, [open_saved, visitor], **talk)
        for changed in (reopening, clearing, undoing, opening):
            changed.then(actions.undoable, visitor, undo, **quiet)
        again = "() => { window.minigpt4.offer_again(); return []; }"
        reopening.then(None, None, None, js=again, api_visibility="private")
        for changed in (*talking, clearing, undoing, opening):
            held = "async (visitor) => [visitor, await window.minigpt4.held_pictures()]"
            keep = "(chat) => { window.minigpt4.keep_chat(chat); return []; }"
            changed.then(actions.keep, [visitor, saved], saved, js=held, **quiet).then(
                None, saved, None, js=keep, api_visibility="private"
            )
        for button, save, name, kind in (
            (as_markdown, actions.save_markdown, "chat.md", "text/markdown"),
            (as_json, actions.save, "chat.json", "application/json"),
        ):
            offer = f"(kept) => {{ window.minigpt4.save(kept, '{name}', '{kind}'); return []; }}"
            button.click(save, visitor, saved, **quiet).then(None, saved, None, js=offer, api_visibility="private")
        if tasks:
            aim: dict[str, Any] = {
                "fn": actions.aim,
                "inputs": [textbox, visitor, aimed],
                "outputs": [task, picker, aimed],
                "concurrency_limit": None,
                "show_progress": "hidden",
                "api_visibility": "private",
            }
            task.input(None, [textbox, task], textbox, js=task_text(tasks), api_visibility="private")
            textbox.change(**aim)
            for talked in talking:
                talked.then(**aim)
    return page
