"""The model of a server: chats whose requests come in turns are read once, and answered as by any other model."""

import pytest
import torch
from PIL import Image

from minigpt4.inference import prompt_cache
from minigpt4.inference.prompt_cache import MOST_KEPT
from minigpt4.inference.serving.remembering import RememberingMiniGPT4
from minigpt4.inference.turns import user_turn
from minigpt4.loading import load


@pytest.fixture(scope="module")
def plain(tiny_checkpoint):
    return load(tiny_checkpoint)


@pytest.fixture
def model(tiny_checkpoint, read):
    model = RememberingMiniGPT4.from_pretrained(tiny_checkpoint).eval()
    model.model.language_model.register_forward_pre_hook(
        lambda _, args, kwargs: read.append(kwargs["inputs_embeds"].shape[1]), with_kwargs=True
    )
    return model


@pytest.fixture
def read():
    """How many positions the language model reads, call by call."""
    return []


@pytest.fixture
def looks(model):
    """One for each time that the vision tower sees a picture."""
    looks = []
    model.model.vision_tower.register_forward_pre_hook(lambda _, inputs: looks.extend(inputs[0]))
    return looks


@pytest.fixture
def request_answer(plain, model, read):
    """Answers of both models to a chat, which are the same, and how many positions were read of how many."""
    other, processor = plain

    def request(*messages: dict, **settings) -> tuple[str, int, int]:
        inputs = processor.apply_chat_template(
            list(messages),
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            processor_kwargs={"return_tensors": "pt"},
        )
        settings = {"tokenizer": processor, "max_new_tokens": 8, **settings}
        read.clear()
        answer = model.generate(**inputs, **settings)
        assert torch.equal(answer, other.generate(**inputs, **settings))
        length = inputs["input_ids"].shape[1]
        return processor.post_process_image_text_to_text(answer[:, length:])[0], read[0], length

    return request


def said(text: str) -> dict:
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


PICTURES = [Image.linear_gradient("L").convert("RGB"), Image.radial_gradient("L").convert("RGB")]


@pytest.mark.parametrize(
    ("questions", "pictures"),
    [(("What is this?", "What is this?"), PICTURES), (("What is this?", "Who is this?"), PICTURES[:1] * 2)],
    ids=["one question about two pictures", "two questions about one picture"],
)
def test_two_chats(request_answer, looks, questions, pictures):
    chats = [[user_turn(question, picture)] for question, picture in zip(questions, pictures, strict=True)]
    for chat in chats:
        answer, *_ = request_answer(*chat)
        chat += [said(answer), user_turn("Why?")]
    for chat in chats:
        _, read, length = request_answer(*chat)
        assert read < length / 2
    assert len(looks) == len({id(picture) for picture in pictures})


def test_a_picture_shown_later(request_answer):
    answer, *_ = request_answer(user_turn("What is this?", PICTURES[0]))
    chat = [user_turn("What is this?", PICTURES[0]), said(answer), user_turn("And this?", PICTURES[1])]
    _, read, length = request_answer(*chat)
    assert read < length


def test_a_request_that_comes_again_or_was_edited(request_answer):
    chat = [user_turn("What is this?", PICTURES[0]), said("A ring."), user_turn("Why?")]
    first, *_ = request_answer(*chat)
    assert request_answer(*chat)[:2] == (first, 1)
    _, read, length = request_answer(*chat[:-1], user_turn("So what?"))
    assert read < length / 2


def test_a_request_that_fails_leaves_nothing_behind(request_answer, model, monkeypatch):
    chat = [user_turn("What is this?", PICTURES[0])]
    request_answer(*chat)
    monkeypatch.setattr(model.lm_head, "forward", lambda hidden_states: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        request_answer(*chat)
    monkeypatch.undo()
    _, read, length = request_answer(*chat)
    assert read == length


@pytest.mark.parametrize(
    "settings",
    [{"num_beams": 2}, {"use_cache": False}, {"cache_implementation": "static"}, {"prompt_lookup_num_tokens": 3}],
    ids=str,
)
def test_settings_that_need_a_cache_of_their_own(request_answer, settings):
    chat = [user_turn("What is this?", PICTURES[0])]
    request_answer(*chat)
    _, read, length = request_answer(*chat, **settings)
    assert read >= length
    assert request_answer(*chat)[1] == 1


@pytest.mark.parametrize("contexts", [100, 0.5], ids=["so many", "of so many positions"])
def test_chats_used_last_are_remembered(request_answer, monkeypatch, contexts):
    monkeypatch.setattr(prompt_cache, "LONGEST_KEPT", contexts)
    shades = [Image.new("RGB", (28, 28), (0, 15 * shade, 0)) for shade in range(MOST_KEPT + 1)]
    chats = [[user_turn("What is this?", shade)] for shade in shades]
    for chat in chats:
        request_answer(*chat)
    kept, length = MOST_KEPT, request_answer(*chats[-1])[2]
    if contexts < 1:
        kept = int(contexts * 1024 / (length + 7))
        assert 1 < kept < MOST_KEPT
    read = [request_answer(*chat)[1] for chat in reversed(chats[-kept - 1 :])]
    assert max(read[:-1]) == 1 < read[-1]
