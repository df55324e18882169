"""Conversations: pictures are looked at once, and an answer that is stopped leaves things in order."""

import pytest
from PIL import Image

from minigpt4.conversation import Conversation
from minigpt4.loading import load


@pytest.fixture
def conversation(tiny_checkpoint):
    return Conversation(*load(tiny_checkpoint))


@pytest.fixture
def pictures():
    return [Image.linear_gradient("L").convert("RGB"), Image.radial_gradient("L").convert("RGB")]


def test_vision_tower_sees_each_picture_once(conversation, pictures):
    seen = []
    conversation.model.model.vision_tower.register_forward_hook(
        lambda module, inputs, output: seen.append(len(output[0]))
    )
    conversation.show(pictures[0])
    conversation.say("What is this?")
    conversation.say("And now?")
    conversation.show(pictures[1])
    conversation.say("And this?")
    assert seen == [1, 1]


def test_remembered_pictures_are_as_good_as_shown_again(conversation, pictures, tiny_checkpoint):
    conversation.show(pictures[0])
    conversation.say("What is this?")
    first = conversation.say("And now?")
    forgetful = Conversation(*load(tiny_checkpoint))
    forgetful.show(pictures[0])
    forgetful.say("What is this?")
    forgetful._features.clear()
    assert forgetful.say("And now?") == first


def stop_after(steps: int, conversation: Conversation):
    """Press Ctrl-C in the middle of an answer."""
    calls = iter(range(steps))

    def hook(module, inputs):
        if next(calls, None) is None:
            raise KeyboardInterrupt

    return conversation.model.lm_head.register_forward_pre_hook(hook)


def test_stopped_answer_is_remembered_as_far_as_it_came(conversation, pictures, capsys):
    conversation.show(pictures[0])
    interrupt = stop_after(8, conversation)
    result = conversation.say("What is this?")
    interrupt.remove()
    assert not result.finished
    assert result.text
    assert capsys.readouterr().out == f"{result.text}\n"
    conversation.say("Go on")
    assert [message["role"] for message in conversation._messages] == ["user", "assistant"] * 2


def test_answer_stopped_at_once_leaves_the_picture_waiting(conversation, pictures):
    conversation.show(pictures[0])
    interrupt = stop_after(0, conversation)
    assert conversation.say("What is this?").text == ""
    interrupt.remove()
    again = conversation.say("What is this?")
    conversation.reset()
    conversation.show(pictures[0])
    assert conversation.say("What is this?") == again
