"""The page: its components and their events."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from minigpt4.app.actions import HINT, Actions
from minigpt4.app.box_picker import box_picker
from minigpt4.app.heading import heading
from minigpt4.app.settings import show_settings
from minigpt4.app.tasks import known_tasks


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
        examples: list[Any] = [
            {"text": each.text, "icon": {"path": "", "url": each.address}} for each in actions.examples
        ]
        chatbot = gr.Chatbot(
            elem_id="chat",
            label="Conversation",
            show_label=False,
            scale=1,
            min_height=320,
            height="60vh",
            editable="user",
            group_consecutive_messages=False,
            buttons=["copy"],
            allow_tags=False,
            placeholder="Add a picture and ask about it, or start with one of these.",
            examples=examples,
        )
        notice = gr.HTML(visible=False, elem_id="notice")
        task = gr.Radio(
            [("chat", ""), *((f"[{name}] {known.label}", name) for name, known in tasks.items())],
            value="",
            label="Task",
            visible=bool(tasks),
            elem_id="task",
        )
        picker = box_picker(visible=False, elem_id="picker")
        textbox = gr.MultimodalTextbox(
            elem_id="textbox",
            show_label=False,
            label="Your message",
            placeholder=HINT,
            file_types=["image"],
            file_count="multiple",
            sources=["upload"],
            max_plain_text_length=100_000,
        )
        with gr.Row():
            retry = gr.Button("Answer again", size="sm", min_width=80)
            clear = gr.Button("New chat", size="sm", min_width=80)
        with gr.Accordion("Settings", open=False):
            choices = show_settings(model.generation_config)
        chat, aimed = gr.State(time_to_live=HOUR), gr.State()

        talk: dict[str, Any] = {
            "outputs": [chat, chatbot, textbox, notice],
            "concurrency_id": "model",
            "api_visibility": "private",
        }
        talking = [
            textbox.submit(actions.send, [textbox, task, picker, chat, *choices], **talk),
            chatbot.example_select(actions.begin, [chat, *choices], **talk),
            retry.click(actions.retry, [chat, *choices], **talk),
            chatbot.retry(actions.retry, [chat, *choices], **talk),
            chatbot.edit(actions.edit, [chat, *choices], **talk),
        ]
        textbox.stop(actions.stop, chat, None, concurrency_limit=None, queue=False, api_visibility="private")
        clearing: dict[str, Any] = {
            "fn": actions.clear,
            "inputs": chat,
            "outputs": talk["outputs"],
            "cancels": talking,  # a waiting question would be answered in the new chat
            "concurrency_limit": None,
            "api_visibility": "private",
        }
        gr.on([clear.click, chatbot.clear], **clearing)
        if tasks:
            aim: dict[str, Any] = {
                "fn": actions.aim,
                "inputs": [textbox, task, chat, aimed],
                "outputs": [picker, aimed],
                "concurrency_limit": None,
                "show_progress": "hidden",
                "api_visibility": "private",
            }
            task.change(actions.hint, task, textbox, concurrency_limit=None, api_visibility="private")
            gr.on([task.change, textbox.change], **aim)
            for talked in talking:
                talked.then(**aim)
    return page
