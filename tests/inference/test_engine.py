"""Several threads ask one model: the answers of one at a time, in fair order, and each may be ended."""

from threading import Event

import pytest
import torch
from PIL import Image
from transformers import DynamicCache, MistralConfig, StoppingCriteria, TextIteratorStreamer
from transformers.generation.streamers import BaseStreamer

from minigpt4.inference import engine as engines
from minigpt4.inference.batch_cache import keeps_all_positions
from minigpt4.inference.engine import Engine
from minigpt4.inference.turns import user_turn
from minigpt4.loading import load


PICTURES = [Image.linear_gradient("L").convert("RGB"), Image.radial_gradient("L").convert("RGB")]
TEXTS = [
    "What is this?",
    "Why?",
    "Describe this image in detail, please, and all that is in it.",
    "And?",
    "Who is it?",
]


@pytest.fixture(scope="module")
def loaded(tiny_checkpoint):
    return load(tiny_checkpoint)


@pytest.fixture(scope="module")
def requests(loaded):
    """Prompts of different lengths, with zero to two pictures, and different numbers of new tokens."""
    how = {"add_generation_prompt": True, "tokenize": True, "return_dict": True}
    made = []
    for number, text in enumerate(TEXTS):
        chat = [user_turn(text, *PICTURES[: number % 3])]
        inputs = loaded[1].apply_chat_template(chat, **how, processor_kwargs={"return_tensors": "pt"})
        new = 6 + 2 * number
        made.append({**inputs, "min_new_tokens": new, "max_new_tokens": new, "do_sample": False})
    return made


@pytest.fixture
def alone(loaded):
    """What the model answers to one request at a time."""
    return lambda requests: [loaded[0].generate(**request) for request in requests]


@pytest.fixture
def steps(loaded):
    """Rows and positions of each call of the language model."""
    steps = []
    hook = loaded[0].model.language_model.register_forward_pre_hook(
        lambda _, args, kwargs: steps.append(tuple(kwargs["inputs_embeds"].shape[:2])), with_kwargs=True
    )
    yield steps
    hook.remove()


class Together:
    """An engine that begins with requests only when all of them wait."""

    def __init__(self, model) -> None:
        self.engine = Engine(model)

    def __call__(self, requests: list[dict]) -> list:
        """Answers, or what was raised, in the order of the requests."""
        go = Event()
        self.engine._join(engines._Task(go.wait))
        futures = [self.engine.submit(**request) for request in requests]
        go.set()
        return [future.exception(60) or future.result() for future in futures]


@pytest.fixture
def together(loaded):
    return Together(loaded[0])


class Told(BaseStreamer):
    """Notes its name for each token."""

    def __init__(self, name: object, notes: list, act=lambda count: None) -> None:
        self.name, self.notes, self.count, self.act = name, notes, -1, act

    def put(self, value: torch.Tensor) -> None:
        self.count += 1
        if self.count:  # the prompt comes first
            self.notes.append(self.name)
            self.act(self.count)

    def end(self) -> None:
        self.notes.append((self.name, "end"))


class Stopped(StoppingCriteria):
    def __init__(self, event: Event) -> None:
        self.event = event

    def __call__(self, input_ids, scores, **kwargs):
        return torch.full((len(input_ids),), self.event.is_set())


def equal(some: list, others: list) -> bool:
    return all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


def test_answers_are_those_of_one_at_a_time(loaded, requests, together, alone, steps):
    settings: list[dict] = [
        {},
        {"repetition_penalty": 1.5},
        {"no_repeat_ngram_size": 2, "min_new_tokens": None},
        {"stop_strings": ["e", "a"], "tokenizer": loaded[1], "min_new_tokens": None},
        {"sequence_bias": {(7,): 5.0}},
    ]
    asked = [{**request, **its} for request, its in zip(requests, settings, strict=True)]
    expected = alone(asked)
    steps.clear()
    assert equal(together(asked), expected)
    # One begins between two steps, and each takes part from then on.
    assert [rows for rows, positions in steps[:10] if positions > 1] == [1] * 5
    assert max(rows for rows, _ in steps) >= 4
    assert equal(together(asked), expected)  # the thread had ended


def test_first_come_first_served(requests, together):
    notes: list = []
    together([{**request, "streamer": Told(name, notes)} for name, request in enumerate(requests)])
    firsts = list(dict.fromkeys(note for note in notes if isinstance(note, int)))
    assert firsts == [0, 1, 2, 3, 4]
    assert notes[:6] == [0, 0, 1, 0, 1, 2]  # nobody who has begun waits for more than one who begins
    assert [notes.count(name) for name in range(5)] == [6, 8, 10, 12, 14]
    assert sum(isinstance(note, tuple) for note in notes) == 5


def test_no_more_rows_than_fit(loaded, requests, alone, steps, monkeypatch):
    expected = alone(requests)
    for limit, most in ({"most_rows": 2}, 2), ({}, 3):
        if not limit:
            # Two heads of 8, keys and values of two layers, in float32; all rows count as long as the longest.
            longest = max(request["input_ids"].shape[1] + request["max_new_tokens"] for request in requests)
            free = 3 * 3 * longest * 2 * 2 * 2 * 8 * 4
            monkeypatch.setattr(engines, "get_max_memory", lambda free=free: {"cpu": free})
        together = Together(loaded[0])
        together.engine = Engine(loaded[0], **limit)
        steps.clear()
        assert equal(together(requests), expected)
        assert max(rows for rows, _ in steps) == most


def test_one_that_is_stopped_ends_at_its_next_token(requests, together, alone, steps):
    expected = alone(requests)
    stop, notes = Event(), []
    steps.clear()
    asked = [{**request} for request in requests]
    asked[3] |= {"streamer": Told(3, notes, lambda count: count == 2 and stop.set())}
    asked[3]["stopping_criteria"] = [Stopped(stop)]
    answers = together(asked)
    assert answers[3].shape[1] == requests[3]["input_ids"].shape[1] + 3
    assert torch.equal(answers[3], expected[3][:, : answers[3].shape[1]])
    assert equal([*answers[:3], answers[4]], [*expected[:3], expected[4]])


def test_one_that_is_stopped_while_it_waits_never_begins(loaded, requests, together, alone, steps):
    expected = alone(requests)
    stop, read = Event(), TextIteratorStreamer(loaded[1].tokenizer, skip_prompt=True, timeout=0)
    stop.set()
    steps.clear()
    asked = [{**request} for request in requests]
    asked[2] |= {"streamer": read, "stopping_criteria": [Stopped(stop)]}
    answers = together(asked)
    assert torch.equal(answers[2], requests[2]["input_ids"])
    assert "".join(read) == ""  # it has ended, too
    assert equal([*answers[:2], *answers[3:]], [*expected[:2], *expected[3:]])
    assert sum(positions > 1 for _, positions in steps) == 4


def test_one_that_fails_does_not_concern_the_others(requests, together, alone):
    expected = alone(requests)
    asked = [{**request} for request in requests]
    asked[1] |= {"streamer": Told(1, [], lambda count: 1 // (3 - count))}
    asked[2] |= {"streamer": Told(2, [], lambda count: 1 // (1 - count))}  # it never joins
    answers = together(asked)
    assert [isinstance(answer, ZeroDivisionError) for answer in answers] == [False, True, True, False, False]
    assert equal([answers[0], *answers[3:]], [expected[0], *expected[3:]])


def test_a_model_that_fails_is_asked_again(loaded, requests, together, alone, monkeypatch):
    expected = alone(requests[:3])
    forward, calls = loaded[0].lm_head.forward, []
    monkeypatch.setattr(
        loaded[0].lm_head, "forward", lambda states: calls.append(1) or (forward(states) if len(calls) < 6 else 1 / 0)
    )
    assert all(isinstance(answer, ZeroDivisionError) for answer in together(requests[:3]))
    monkeypatch.undo()
    assert equal(together(requests[:3]), expected)


def test_each_gets_its_cache_back(loaded, requests, together, alone):
    config = loaded[0].config.get_text_config()
    caches = [DynamicCache(config=config) for _ in requests]
    answers = together(
        [{**request, "past_key_values": cache} for request, cache in zip(requests, caches, strict=True)]
    )
    assert [cache.get_seq_length() for cache in caches] == [answer.shape[1] - 1 for answer in answers]
    # The answers go on: the same as without caches.
    longer = [
        {**request, "input_ids": answer, "attention_mask": torch.ones_like(answer)}
        for request, answer in zip(requests, answers, strict=True)
    ]
    expected = alone(longer)
    assert equal(
        together([{**request, "past_key_values": cache} for request, cache in zip(longer, caches, strict=True)]),
        expected,
    )


def test_what_is_sampled_does_not_depend_on_the_others(requests, together):
    asked = [{**request, "do_sample": True, "seed": number} for number, request in enumerate(requests)]
    answers = together(asked)
    assert equal([together([request])[0] for request in asked], answers)
    assert not torch.equal(together([{**asked[4], "seed": 5}])[0], answers[4])


def test_what_cannot_share_steps_has_its_turn(requests, together, alone):
    asked = [{**request} for request in requests]
    asked[1] |= {"num_beams": 2}
    asked[3] |= {"cache_implementation": "static"}
    assert equal(together(asked), alone(asked))
    assert together.engine.run(lambda: 7) == 7


def test_caches_that_line_up(loaded):
    assert keeps_all_positions(DynamicCache(config=loaded[0].config.get_text_config()))
    assert not keeps_all_positions(DynamicCache(config=MistralConfig(num_hidden_layers=2, sliding_window=4)))
