"""The page in a real browser, with nano and with a tiny model that answers in boxes."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
import torch
from helpers.browser import browser, context  # noqa: F401


pytest.importorskip("gradio", reason="the page needs gradio: pip install '.[app]'")

# What the tiny model is made to say. {<25><50><75><100>} is the lower half in the middle.
BOX = "{<25><50><75><100>}"
TAUGHT = {
    "[refer] give me the location of the dog": BOX,
    "[detection] dogs": f"<p>dogs</p> {BOX}<delim>{{<0><0><20><20>}}",
    "[detection] cats": f"<p>cats</p> {BOX}<delim>{{<0><0>",
    "[grounding] please describe this image in details": f"<p>a dog</p> {BOX} on <p>a mat</p> {{<0><60><100><100>}} & <b>",
    f"[identify] what is this {BOX}": "a dog",
}


def served(folder: Path | None = None, pace: Event | None = None, **generation) -> Iterator[str]:
    from minigpt4.app import build_page, serve
    from minigpt4.loading import load

    model, processor = load(folder)
    model.generation_config.update(**generation)
    if pace is not None:

        def wait(*_):
            pace.wait(0.15)

        model.register_forward_pre_hook(wait)
    page = build_page(model, processor, about="A model to try.", at_once=1 if pace else 4)
    yield serve(page)
    page.close(verbose=False)


@pytest.fixture(scope="module")
def nano_page():
    """Address of a page with nano."""
    yield from served()


@pytest.fixture(scope="module")
def boxes_page(boxes_checkpoint):
    """Address of a page with a model that knows the tasks of MiniGPT-v2."""
    yield from served(boxes_checkpoint)


@pytest.fixture
def endless_page():
    """Address of a page with a nano as slow as a large model, which talks for minutes."""
    pace = Event()
    yield from served(pace=pace, min_new_tokens=600, max_new_tokens=600)
    pace.set()


@pytest.fixture(scope="session")
def boxes_checkpoint(tmp_path_factory, tiny_checkpoint) -> Path:
    """Folder of a tiny MiniGPT-v2: no Q-Former, its chat form, its tasks; it learned the answers of `TAUGHT` by heart."""
    from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration, MiniGPT4Processor
    from minigpt4.processing import chat_template

    folder = tmp_path_factory.mktemp("boxes")
    tiny = MiniGPT4Processor.from_pretrained(tiny_checkpoint)
    processor = MiniGPT4Processor(
        tiny.image_processor,
        tiny.tokenizer,
        chat_template=chat_template("v2"),
        num_image_tokens=1,
        task_identifiers=["vqa", "caption", "grounding", "refer", "identify", "detection"],
    )
    config = MiniGPT4Config.from_pretrained(tiny_checkpoint)
    config = MiniGPT4Config(
        vision_config=config.vision_config.to_dict(),
        qformer_config=None,
        token_merge_size=4,
        text_config=config.text_config.to_dict()
        | {"hidden_size": 64, "intermediate_size": 128, "initializer_range": 0.1},
        image_token_id=config.image_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = MiniGPT4ForConditionalGeneration(config)
        teach(model, processor)
    ids = {name: getattr(processor.tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    model.generation_config.update(do_sample=False, max_new_tokens=100, **ids)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def teach(model, processor) -> None:
    from PIL import Image

    chats = [
        [
            {
                "role": "user",
                "content": [{"type": "image", "image": Image.new("RGB", (28, 28))}, {"type": "text", "text": text}],
            },
            {"role": "assistant", "content": answer},
        ]
        for text, answer in TAUGHT.items()
    ]
    batch = processor.apply_chat_template(
        chats,
        tokenize=True,
        return_dict=True,
        return_assistant_tokens_mask=True,
        processor_kwargs={"padding": True, "return_tensors": "pt"},
    )
    answers = torch.as_tensor(batch.pop("assistant_masks")).bool()
    labels = batch["input_ids"].masked_fill(~answers, -100)
    # Pictures differ from test to test: what is learned must not hang on them.
    learning = list(model.model.language_model.parameters()) + list(model.lm_head.parameters())
    model.model.multi_modal_projector.requires_grad_(False).apply(
        lambda module: [weight.data.zero_() for weight in module.parameters(recurse=False)]
    )
    optimizer = torch.optim.AdamW(learning, lr=3e-3)
    for _ in range(400):
        loss = model(**batch, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss < 0.02:
            return
    raise AssertionError(f"the tiny model has not learned its answers: its loss is still {loss:.2f}")
