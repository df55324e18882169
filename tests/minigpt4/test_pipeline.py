"""`pipeline` in every way that works for LLaVA, without a warning or an error log."""

import logging
import random
import warnings

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, TextIteratorStreamer, pipeline
from transformers.utils import logging as transformers_logging

import minigpt4  # noqa: F401


PROMPT = "<ImageHere>"
PICTURES = {name: Image.frombytes("RGB", (40, 30), random.Random(name).randbytes(3600)) for name in ("a", "b", "c")}


@pytest.fixture
def quiet(caplog):
    """Fails the test if a library warned or logged."""
    transformers_logging.enable_propagation()
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error", UserWarning)
        yield
    transformers_logging.disable_propagation()
    assert [record.getMessage() for record in caplog.records] == []


@pytest.fixture
def pipe(quiet, tiny_checkpoint):
    return pipeline("image-text-to-text", model=str(tiny_checkpoint))


@pytest.fixture
def expected(tiny_checkpoint):
    """What model and processor answer by themselves."""
    model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
    processor = AutoProcessor.from_pretrained(tiny_checkpoint)

    def answer(picture: Image.Image, prompt: str = PROMPT) -> str:
        inputs = processor(images=picture, text=prompt, return_tensors="pt")
        ids = model.generate(**inputs)[0, inputs["input_ids"].shape[1] :]
        return processor.post_process_image_text_to_text(ids)

    return answer


def chat(picture: Image.Image) -> list[dict]:
    return [{"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": "What?"}]}]


def test_single(pipe, expected):
    [output] = pipe(images=PICTURES["a"], text=PROMPT, return_full_text=False)
    assert output["generated_text"] == expected(PICTURES["a"])


@pytest.mark.parametrize("batch_size", [1, 3])
def test_batch(pipe, expected, batch_size):
    outputs = pipe(images=list(PICTURES.values()), text=[PROMPT] * 3, batch_size=batch_size, return_full_text=False)
    answers = [
        output[0]["generated_text"] if isinstance(output, list) else output["generated_text"] for output in outputs
    ]
    assert answers == [expected(picture) for picture in PICTURES.values()]
    assert len(set(answers)) > 1


def test_chat(pipe, expected):
    [output] = pipe(text=chat(PICTURES["a"]), return_full_text=False)
    prompt = pipe.processor.apply_chat_template(chat(PICTURES["a"]), add_generation_prompt=True)
    assert output["generated_text"] == expected(PICTURES["a"], prompt)


def test_chat_returns_the_whole_conversation_by_default(pipe, expected):
    [output] = pipe(text=chat(PICTURES["a"]))
    assert [message["role"] for message in output["generated_text"]] == ["user", "assistant"]
    prompt = pipe.processor.apply_chat_template(chat(PICTURES["a"]), add_generation_prompt=True)
    assert output["generated_text"][-1]["content"] == expected(PICTURES["a"], prompt)


def test_chats_in_a_batch(pipe, expected):
    chats = [chat(picture) for picture in PICTURES.values()]
    outputs = pipe(text=chats, return_full_text=False, batch_size=2)
    prompt = pipe.processor.apply_chat_template(chats[0], add_generation_prompt=True)
    answers = [output[0]["generated_text"] for output in outputs]
    assert answers == [expected(picture, prompt) for picture in PICTURES.values()]


def test_text_only(pipe):
    [output] = pipe(text=[{"role": "user", "content": [{"type": "text", "text": "Hello"}]}], return_full_text=False)
    assert isinstance(output["generated_text"], str)


def test_dataset(pipe, expected):
    class Rows(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> dict:
            return {"images": list(PICTURES.values())[index], "text": PROMPT}

    answers = [output[0]["generated_text"] for output in pipe(Rows(), return_full_text=False)]
    assert answers == [expected(picture) for picture in PICTURES.values()]


def test_streaming(pipe, expected):
    streamer = TextIteratorStreamer(pipe.tokenizer, skip_prompt=True)
    pipe(images=PICTURES["a"], text=PROMPT, generate_kwargs={"streamer": streamer})
    pieces = list(streamer)
    assert len(pieces) > 1
    assert pipe.processor._answer("".join(pieces)) == expected(PICTURES["a"])


def test_text_generation(quiet, tiny_checkpoint, expected):
    pipe = pipeline("text-generation", model=str(tiny_checkpoint), do_sample=False)
    [output] = pipe("What is this?", return_full_text=False)
    ids = pipe.tokenizer("What is this?", return_tensors="pt")
    alone = pipe.model.generate(**ids, do_sample=False)[0, ids["input_ids"].shape[1] :]
    assert output["generated_text"] == pipe.tokenizer.decode(alone, skip_special_tokens=True)
    together = pipe(["What is this?", "A"], return_full_text=False, batch_size=2)
    assert [answer["generated_text"] for [answer] in together] == [
        output["generated_text"],
        pipe("A", return_full_text=False)[0]["generated_text"],
    ]


def test_generation_settings(pipe):
    [short] = pipe(images=PICTURES["a"], text=PROMPT, return_full_text=False, max_new_tokens=2)
    [sampled] = pipe(
        images=PICTURES["a"], text=PROMPT, return_full_text=False, generate_kwargs={"do_sample": True, "top_p": 0.9}
    )
    assert len(pipe.tokenizer(short["generated_text"], add_special_tokens=False)["input_ids"]) <= 3
    assert isinstance(sampled["generated_text"], str)
