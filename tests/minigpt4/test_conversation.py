"""Conversations: every turn is read once, says what a conversation from the start says, and can be stopped or taken back."""

import os
import signal

import pytest
from PIL import Image

from minigpt4.conversation import Conversation
from minigpt4.loading import load


@pytest.fixture(scope="module")
def loaded(tiny_checkpoint):
    return load(tiny_checkpoint)


@pytest.fixture
def conversation(loaded):
    return Conversation(*loaded)


@pytest.fixture
def pictures():
    return [Image.linear_gradient("L").convert("RGB"), Image.radial_gradient("L").convert("RGB")]


@pytest.fixture
def hooked(conversation):
    """Registers forward pre-hooks on parts of the model, for the test only."""
    handles = []

    def register(part, hook):
        handles.append(part.register_forward_pre_hook(hook, with_kwargs=True))
        return handles[-1]

    yield register
    for handle in handles:
        handle.remove()


@pytest.fixture
def read(conversation, hooked):
    """How many positions the language model reads, call by call."""
    lengths = []
    hooked(
        conversation.model.model.language_model,
        lambda _, args, kwargs: lengths.append(kwargs["inputs_embeds"].shape[1]),
    )
    return lengths


def afresh(conversation, text: str, *pictures) -> str:
    """The answer of a conversation with the same turns that has read nothing yet."""
    other = Conversation(conversation.model, conversation.processor)
    other.turns = list(conversation.turns)
    for picture in pictures:
        other.show(picture)
    return "".join(other.stream(text))


def test_vision_tower_sees_each_picture_once(conversation, pictures, hooked):
    seen = []
    hooked(conversation.model.model.vision_tower, lambda _, args, kwargs: seen.append(len(args[0])))
    conversation.show(pictures[0])
    conversation.say("What is this?")
    conversation.say("And now?")
    conversation.show(pictures[1])
    conversation.show(pictures[0])
    conversation.say("And this?")
    assert seen == [1, 1]


def test_each_turn_is_read_once_and_answered_as_from_the_start(conversation, pictures, read):
    conversation.show(pictures[0])
    for index, text in enumerate(("What is this?", "And now?", "Why?", "And this?", "So?")):
        shown = pictures[1:] if index == 3 else []
        for picture in shown:
            conversation.show(picture)
        expected = afresh(conversation, text, *(shown or pictures[:1] if index in (0, 3) else ()))
        length = read[0]
        read.clear()
        assert "".join(conversation.stream(text)) == expected
        if index:
            # New are this text, the last answer, which the chat form writes anew, and the words around them.
            assert read[0] < length / 2
            assert read[0] <= len(text) + 4 * 12 + 40
        read.clear()


def interrupt_after(steps: int, conversation, hooked):
    """Press Ctrl-C in the middle of an answer."""
    calls = iter(range(steps))

    def hook(*_):
        if next(calls, None) is None:
            os.kill(os.getpid(), signal.SIGINT)

    return hooked(conversation.model.lm_head, hook)


def test_stopped_answer_is_remembered_as_far_as_it_came(conversation, pictures, capsys, hooked):
    conversation.show(pictures[0])
    interrupt = interrupt_after(8, conversation, hooked)
    result = conversation.say("What is this?")
    interrupt.remove()
    assert not result.finished
    assert result.text
    assert capsys.readouterr().out == f"{result.text}\n"
    expected = afresh(conversation, "Go on")
    assert conversation.say("Go on").text == expected
    assert [turn.text for turn in conversation.turns] == ["What is this?", "Go on"]
