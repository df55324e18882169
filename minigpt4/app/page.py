"""The page: its components and their events."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from minigpt4.app.actions import Actions
from minigpt4.app.box_picker import box_picker
from minigpt4.app.chat_log import chat_log
from minigpt4.app.heading import heading
from minigpt4.app.settings import show_settings
from minigpt4.app.tasks import known_tasks, task_text


if TYPE_CHECKING:
    from minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Processor

HOUR = 3600  # seconds


def build_page(
    model: "MiniGPT4ForConditionalGeneration", processor: "MiniGPT4Processor", about: str = ""
) -> gr.Blocks:
    """
    The page for one model, for any number of users at once; [`serve`] puts it on the network.

    Args:
        model (`MiniGPT4ForConditionalGeneration`), processor (`MiniGPT4Processor`): tasks and the drawing of boxes are
            offered if the processor has `task_identifiers`.
        about (`str`, *optional*): one line about the model, in Markdown.

    Returns:
        `gradio.Blocks`: not served yet.
    """
    tasks = known_tasks(processor.task_identifiers)
    # Pictures and chats of those who left are deleted after an hour.
    with gr.Blocks(
        title="MiniGPT-4: talk about pictures", fill_height=True, analytics_enabled=False, delete_cache=(HOUR, HOUR)
    ) as page:
        gr.Markdown(heading(model, processor, about), elem_id="title")
        actions = Actions(model, processor)
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
            placeholder="Ask about a picture",
            file_types=["image"],
            file_count="multiple",
            sources=["upload"],
            max_plain_text_length=100_000,
        )
        with gr.Row(elem_id="buttons"):
            retry = gr.Button("Answer again", size="sm", min_width=80)
            clear = gr.Button("New chat", size="sm", min_width=80)
            with gr.Accordion("Settings", open=False, elem_id="settings"):
                choices = show_settings(model.generation_config)
        chat, aimed = gr.State(time_to_live=HOUR), gr.State()

        talk: dict[str, Any] = {
            "outputs": [chat, log, textbox, notice],
            "concurrency_id": "model",
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        talking = [
            textbox.submit(actions.send, [textbox, picker, chat, *choices], **talk),
            log.example_select(actions.begin, [chat, *choices], **talk),
            retry.click(actions.retry, [chat, *choices], **talk),
            log.retry(actions.retry, [chat, *choices], **talk),
            log.edit(actions.edit, [chat, *choices], **talk),
        ]
        textbox.stop(actions.stop, chat, None, concurrency_limit=None, queue=False, api_visibility="private")
        clear.click(
            actions.clear,
            chat,
            talk["outputs"],
            cancels=talking,  # a waiting question would be answered in the new chat
            concurrency_limit=None,
            api_visibility="private",
        )
        if tasks:
            aim: dict[str, Any] = {
                "fn": actions.aim,
                "inputs": [textbox, chat, aimed],
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
