"""Conversations: every turn is read once, says what a conversation from the start says, and can be stopped or taken back."""

import contextlib
import copy
import gc
import os
import signal
from dataclasses import replace
from itertools import count
from threading import current_thread
from weakref import ref

import pytest
import torch
from PIL import Image
from transformers import MistralConfig, MistralForCausalLM

from minigpt4.inference import prompt_cache, reading
from minigpt4.inference.conversation import READING_AHEAD, Conversation
from minigpt4.inference.prompt_cache import MOST_KEPT, PromptCache
from minigpt4.inference.reading import Reader
from minigpt4.inference.turns import Answer, Turn, user_turn
from minigpt4.loading import load
from minigpt4.processing.templates import chat_template


# Ids of the tiny checkpoint: three special tokens, 256 bytes, the space, then letters.
ALL_BUT_SPACE = [*range(259), *range(260, 354)]
SPACES_AND_LETTERS = {"suppress_tokens": [*range(259), *range(262, 354)], "do_sample": True}


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
    """How many positions the language model reads for answers, call by call."""
    lengths = []

    def hook(_, args, kwargs):
        if current_thread().name != READING_AHEAD:
            lengths.append(kwargs["inputs_embeds"].shape[1])

    hooked(conversation.model.model.language_model, hook)
    return lengths


def afresh(conversation, text: str, *pictures, **settings) -> str:
    """The answer of a conversation with the same turns that has read nothing yet."""
    other = Conversation(conversation.model, conversation.processor)
    other.turns = list(conversation.turns)
    for picture in pictures:
        other.show(picture)
    return "".join(other.stream(text, **settings))


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
            assert read[0] < length / 2
            assert read[0] <= len(text) + 40  # what is said and the words around it
        conversation.finish_reading()
        read.clear()


def test_what_was_not_read_ahead_is_read_with_the_next_turn(loaded, pictures, hooked, read, monkeypatch):
    """Whether reading ahead came to its end, was stopped half-way, or failed."""
    monkeypatch.setattr(reading, "STEP", 4)

    def next_turn(meanwhile) -> tuple[str, int]:
        other = Conversation(*loaded)
        other.show(pictures[0])

        def hook(*_):
            if current_thread().name == READING_AHEAD:
                meanwhile(other)

        handle = hooked(other.model.model.language_model.layers[1], hook)
        other.say("What is this?")
        other.finish_reading()
        handle.remove()
        read.clear()
        answer = other.say("And now?")
        other.finish_reading()
        return answer.text, read[0]

    def fail(_):
        raise RuntimeError("out of memory")

    whole, stopped, failed = (next_turn(meanwhile) for meanwhile in (lambda _: None, Conversation.stop, fail))
    assert whole[0] == stopped[0] == failed[0]
    assert len("And now?") < whole[1] < stopped[1] < failed[1]


def interrupt_after(steps: int, conversation, hooked):
    """Press Ctrl-C in the middle of an answer."""
    calls = count()

    def hook(*_):
        if next(calls) == steps:
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


def test_answer_stopped_at_once_leaves_the_picture_waiting(conversation, pictures, hooked):
    conversation.show(pictures[0])
    interrupt = interrupt_after(0, conversation, hooked)
    assert conversation.say("What is this?", max_new_tokens=1, suppress_tokens=ALL_BUT_SPACE).text == ""
    interrupt.remove()
    assert conversation.turns == []
    expected = afresh(conversation, "What is this?", pictures[0])
    assert conversation.say("What is this?").text == expected


def test_error_in_the_middle_of_an_answer_leaves_all_as_it_was(conversation, pictures, hooked):
    conversation.say("Hello")
    conversation.show(pictures[0])
    calls = iter(range(4))

    def fail(module, args, kwargs):
        if next(calls, None) is None:
            raise RuntimeError("out of memory")

    # In the second layer: the first has read the token already.
    failure = hooked(conversation.model.model.language_model.layers[1], fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        conversation.say("What is this?")
    failure.remove()
    assert len(conversation.turns) == 1
    expected = afresh(conversation, "What is this?", pictures[0])
    assert conversation.say("What is this?").text == expected


def test_closed_iterator_ends_the_answer(conversation, read):
    pieces = conversation.stream("What is this?", max_new_tokens=500, **SPACES_AND_LETTERS)
    first = next(pieces)
    pieces.close()
    assert conversation.turns[0].answer == Answer(first, finished=False)
    assert len(read) < 500
    expected = afresh(conversation, "Go on")
    assert "".join(conversation.stream("Go on")) == expected


def test_stop_from_elsewhere_ends_the_answer(conversation, read, hooked):
    stopping = hooked(conversation.model.lm_head, lambda *_: conversation.stop() if len(read) == 5 else None)
    answer = "".join(conversation.stream("What is this?"))
    stopping.remove()
    assert len(read) == 5
    assert conversation.turns[0].answer == Answer(answer, finished=False)


def test_one_answer_at_a_time(conversation):
    pieces = conversation.stream("What is this?", **SPACES_AND_LETTERS)
    next(pieces)
    with pytest.raises(RuntimeError, match="an answer is being generated"):
        next(conversation.stream("And this?"))
    pieces.close()


def test_taken_back_turns_leave_no_trace(conversation, pictures, read):
    conversation.show(pictures[0])
    conversation.say("What is this?")
    conversation.say("And now?")
    expected = conversation.say("Why?").text
    conversation.cut(2)
    conversation.finish_reading()
    read.clear()
    assert conversation.say("Why?").text == expected
    assert read[0] == 1  # all but its last token is still known
    conversation.cut(1)
    expected = afresh(conversation, "So what?")
    assert conversation.say("So what?").text == expected
    assert [turn.text for turn in conversation.turns] == ["What is this?", "So what?"]


def test_another_picture_in_the_place_of_one(conversation, pictures):
    conversation.show(pictures[0])
    before = conversation.say("What is this?").text
    conversation.cut(0)
    conversation.show(pictures[1])
    expected = afresh(conversation, "What is this?", pictures[1])
    assert conversation.say("What is this?").text == expected != before


def test_picture_is_shown_as_it_was(conversation, pictures, tmp_path):
    """What is drawn on it later is seen when it is shown again; its file may be closed."""
    pictures[0].save(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as canvas:
        conversation.show(canvas)
        canvas.paste(pictures[1])
        conversation.say("What is this?")
        conversation.show(canvas)
    other = Conversation(conversation.model, conversation.processor)
    other.turns = [replace(conversation.turns[0], pictures=(pictures[0],))]
    expected = afresh(other, "And this?", pictures[1])
    assert conversation.say("And this?").text == expected


def test_retry_shows_the_same_pictures_and_may_say_something_else(conversation, pictures):
    conversation.show(pictures[0])
    first = conversation.say("What is this?").text
    conversation.show(pictures[1])  # waits on
    assert "".join(conversation.retry()) == first
    assert len(conversation.turns) == 1
    expected = afresh(Conversation(conversation.model, conversation.processor), "Why?", pictures[0])
    assert "".join(conversation.retry("Why?")) == expected
    assert [turn.text for turn in conversation.turns] == ["Why?"]
    assert conversation.turns[0].pictures == (pictures[0],)
    expected = afresh(conversation, "And this?", pictures[1])
    assert conversation.say("And this?").text == expected


def test_retry_that_fails_leaves_the_turn(conversation, pictures):
    conversation.show(pictures[0])
    conversation.say("What is this?")
    turns = list(conversation.turns)
    with pytest.raises(ValueError, match="make it shorter"):
        list(conversation.retry("long " * 300))
    assert conversation.turns == turns
    with pytest.raises(ValueError, match="there is no turn"):
        next(Conversation(conversation.model, conversation.processor).retry())


def test_oldest_text_goes_first_and_pictures_stay(conversation, pictures):
    conversation.show(pictures[0])
    conversation.say("tell me " * 40)
    conversation.show(pictures[1])
    conversation.say("tell me " * 40)
    assert conversation.forgotten == 0
    last = conversation.say("Why? " * 50)
    assert conversation.forgotten == 1
    assert len(conversation.turns) == 3
    # The same as if both pictures had been shown with the second turn.
    short = Conversation(conversation.model, conversation.processor)
    short.turns = [replace(conversation.turns[1], pictures=tuple(pictures))]
    assert "".join(short.stream("Why? " * 50)) == last.text
    conversation.cut(1)
    expected = afresh(conversation, "Why?")
    assert conversation.say("Why?").text == expected
    assert conversation.forgotten == 0


def test_ctrl_c_while_an_answer_ends(conversation, monkeypatch):
    presses = iter((KeyboardInterrupt,))

    def stop():
        for press in presses:
            raise press
        Conversation.stop(conversation)

    monkeypatch.setattr(conversation, "stop", stop)
    conversation.say("Hello", max_new_tokens=4)
    expected = afresh(conversation, "Why?")
    assert conversation.say("Why?").text == expected


def test_text_that_was_not_said_makes_nothing_forgotten(conversation, hooked):
    conversation.say("tell me " * 40)
    failure = hooked(conversation.model.lm_head, lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        conversation.say("Why? " * 120)
    failure.remove()
    assert conversation.forgotten == 0


def test_error_does_not_keep_what_failed(conversation, hooked):
    kept = []

    def fail(_, args, kwargs):
        kept.append(ref(args[0]))
        raise RuntimeError("out of memory")

    failure = hooked(conversation.model.lm_head, fail)
    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(RuntimeError):
            conversation.say("Hello")
        assert kept[0]() is None
    finally:
        gc.enable()
        failure.remove()


def test_answer_ends_where_the_model_can_read_no_further(conversation):
    text = "x" * (1024 - 190)
    answer = conversation.say(text, max_new_tokens=500)
    ids = conversation.processor.tokenizer(answer.text, add_special_tokens=False)["input_ids"]
    assert not answer.finished
    assert 0 < len(ids) < 190


@pytest.mark.parametrize(
    "settings",
    [{"num_beams": 2}, {"cache_implementation": "static"}, {"use_cache": False}, {"prompt_lookup_num_tokens": 3}],
    ids=str,
)
def test_settings_that_need_a_cache_of_their_own(conversation, pictures, settings):
    conversation.show(pictures[0])
    conversation.say("What is this?")
    expected = Conversation(conversation.model, conversation.processor)
    expected.turns = list(conversation.turns)
    assert "".join(conversation.stream("And now?", **settings)) == "".join(expected.stream("And now?", **settings))
    assert conversation.turns[-1].answer.text
    expected = afresh(conversation, "Why?")
    assert conversation.say("Why?").text == expected


def test_settings_hold_for_one_answer(conversation):
    assert len(conversation.say("What is this?", max_new_tokens=2).text) <= 2
    expected = afresh(conversation, "And now?")
    assert conversation.say("And now?").text == expected


@pytest.mark.parametrize("family", ["vicuna", "llama2", "v2"])
def test_ids_are_those_of_the_processor(loaded, pictures, family):
    model, processor = loaded
    processor = copy.copy(processor)
    processor.chat_template = chat_template(family)
    turns = [
        Turn("  What is\nthis? ###", (pictures[0],), Answer("A </s> ring.", True)),
        Turn("é", (), Answer("", True)),
    ]
    prompt, _ = Reader(model, processor).fit(turns, 0, "Why?", pictures, {})
    messages = [
        user_turn(turns[0].text, pictures[0]),
        {"role": "assistant", "content": [{"type": "text", "text": turns[0].answer.text}]},
        user_turn(turns[1].text),
        {"role": "assistant", "content": [{"type": "text", "text": ""}]},
        user_turn("Why?", *pictures),
    ]
    expected = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=True)
    assert prompt.ids == expected["input_ids"][0]
    assert prompt.pictures == [pictures[0], *pictures]


def test_placeholder_in_the_text_is_refused(conversation):
    with pytest.raises(ValueError, match="is reserved for pictures"):
        conversation.say("What is <ImageHere>?")


class TestPromptCache:
    def test_window_that_slid_is_read_anew(self):
        config = MistralConfig(
            vocab_size=50,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            sliding_window=8,
        )
        cache = PromptCache(config)
        model = MistralForCausalLM(config).eval()
        first, second = list(range(20)), [*range(15), *range(30, 40)]
        for prompt, kept in ((first, 0), (second, 0), ([*second, 1, 2], len(second))):
            taken = cache.take(prompt)
            assert taken.get_seq_length() == kept
            model(torch.tensor([prompt[kept:]]), past_key_values=taken)
            cache.keep(prompt, taken)

    def test_what_is_taken_is_gone_until_it_is_kept(self, conversation):
        conversation.say("Hello")
        conversation.finish_reading()
        cache = conversation._reader._cache
        ids = conversation._reader.fit(conversation.turns, 0, "Why?", [], {})[0].ids
        assert cache.take(ids).get_seq_length() > 10
        assert cache.take(ids).get_seq_length() == 0

    def test_chats_used_last_are_remembered(self, loaded, read, conversation, monkeypatch):
        monkeypatch.setattr(prompt_cache, "LONGEST_KEPT", 100)  # contexts: the number alone decides
        chats = [conversation, *(Conversation(*loaded) for _ in range(MOST_KEPT))]
        for chat in chats:
            chat.say("Hello", max_new_tokens=2)
            chat.finish_reading()
        answers, lengths = [], []
        for chat in reversed(chats):
            read.clear()
            answers.append(chat.say("Why?", max_new_tokens=4).text)
            lengths.append(read[0])
        assert max(lengths[:-1]) < lengths[-1] / 2
        conversation.cut(1)
        assert answers[-1] == afresh(conversation, "Why?", max_new_tokens=4)
