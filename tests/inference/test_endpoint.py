"""Endpoints of other people's language models, over a server that misbehaves; and the same of a local model."""

from threading import Barrier

import pytest
from helpers.language_models import LANGUAGE_MODELS, write_language_model
from helpers.loopback_endpoint import LoopbackEndpoint

from minigpt4.inference.endpoint import Endpoint, Usage
from minigpt4.inference.local_language_model import LocalLanguageModel


@pytest.fixture
def server():
    server = LoopbackEndpoint()
    yield server
    server.close()


def ask(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def test_replies_come_in_order_whatever_is_slow(server):
    """The first two wait for each other: they are under way at once, and a third never is."""
    both = Barrier(2, timeout=20)

    def reply(text: str) -> str:
        if text in ("a", "b"):
            both.wait()
        return text.upper()

    server.replier = reply
    endpoint = Endpoint("judge", server.url, concurrency=2)
    texts = ["a", "b", "c", "d", "e", "f", "g"]
    assert [reply.text for reply in endpoint.replies(map(ask, texts))] == [text.upper() for text in texts]
    assert server.most == 2
    assert server.requests[0]["temperature"] == 0
    assert endpoint.usage == Usage(requests=7, prompt_tokens=70, completion_tokens=14)


def test_the_name_of_the_model_is_the_one_that_replied(server):
    [reply] = Endpoint("judge", server.url).replies([ask("x")])
    assert (reply.model, reply.finished) == ("judge-1106", True)
    server.faults.append("cut")
    [reply] = Endpoint("judge", server.url).replies([ask("x")])
    assert not reply.finished


@pytest.mark.parametrize("fault", ["429", "500", "empty", "malformed", "no completion", "half", "slow"])
def test_a_fault_is_asked_again(server, fault):
    server.faults.append(fault)
    endpoint = Endpoint("judge", server.url, retries=2, timeout=0.2 if fault == "slow" else 20)
    [reply] = endpoint.replies([ask("x")])
    assert (reply.text, reply.error) == ("X", "")
    assert len(server.requests) == 2


@pytest.mark.parametrize(("fault", "reason"), [("429", "fault 429"), ("empty", "no content in 2 replies")])
def test_what_fails_again_and_again_does_not_stop_the_others(server, fault, reason):
    server.faults.extend([fault] * 2)
    endpoint = Endpoint("judge", server.url, retries=1, concurrency=1)
    failed, whole = endpoint.replies(map(ask, "xy"))
    assert (failed.text, whole.text) == ("", "Y")
    assert reason in failed.error
    assert (endpoint.usage.requests, endpoint.usage.failed) == (2, 1)


@pytest.mark.parametrize("fault", ["401", "404"])
def test_what_would_fail_for_all_stops(server, fault):
    server.faults.append(fault)
    with pytest.raises(ValueError, match=rf"{server.url} refuses requests for 'judge': .*fault {fault}"):
        list(Endpoint("judge", server.url).replies([ask("x")]))
    assert len(server.requests) == 1


def test_what_was_asked_before_is_not_sent_again(server, tmp_path):
    settings = {"cache": tmp_path / "new" / "replies.sqlite"}
    server.faults.append("empty")
    [failed] = Endpoint("judge", server.url, retries=0, **settings).replies([ask("x")])
    assert failed.error
    first, second = Endpoint("judge", server.url, **settings), Endpoint("judge", server.url, **settings)
    assert [*first.replies([ask("x")])] == [*second.replies([ask("x")])]
    assert second.usage == Usage(cached=1)
    assert len(server.requests) == 2  # a failure is not kept
    [*Endpoint("judge", server.url, temperature=1, **settings).replies([ask("x")])]
    assert len(server.requests) == 3


def test_keys_come_from_the_environment_and_go_nowhere_else(server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-you")
    monkeypatch.setenv("JUDGE_KEY", "sk-secret")
    [*Endpoint("judge", server.url).replies([ask("x")])]
    endpoint = Endpoint("judge", server.url, key_variable="JUDGE_KEY", cache=tmp_path / "replies.sqlite")
    [*endpoint.replies([ask("x")])]
    assert server.keys == ["Bearer none", "Bearer sk-secret"]
    assert "secret" not in repr(endpoint)
    assert b"secret" not in (tmp_path / "replies.sqlite").read_bytes()
    monkeypatch.delenv("JUDGE_KEY")
    with pytest.raises(ValueError, match="JUDGE_KEY is not set"):
        Endpoint("judge", server.url, key_variable="JUDGE_KEY")


def test_requests_are_read_as_they_are_needed(server):
    read = []

    def requests():
        for number in range(1000):
            read.append(number)
            yield ask(str(number))

    replies = Endpoint("judge", server.url, concurrency=2).replies(requests())
    assert next(replies).text == "0"
    replies.close()
    assert len(read) == 4


def test_the_rate_is_limited(server, monkeypatch):
    """By the pauses that are asked for: the clock stands still."""
    from minigpt4.inference import endpoint as module

    pauses = []
    monkeypatch.setattr(module.time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    [*Endpoint("judge", server.url, requests_per_minute=30).replies(map(ask, "xyz"))]
    assert sorted(pauses) == [0.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "judge.example/v1"}, "must begin with http:// or https://"),
        ({"concurrency": 0}, "concurrency must be at least 1"),
        ({"requests_per_minute": 0}, "requests_per_minute must be above 0"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        Endpoint("judge", **{"url": "http://127.0.0.1:1/v1", **settings})


def test_a_local_model_replies_alike_alone_and_in_a_batch(tmp_path):
    folder = write_language_model(tmp_path / "llama", LANGUAGE_MODELS["Llama-3-Instruct"])
    requests = [ask("Is there a red circle?"), ask("no")]
    batched = LocalLanguageModel(str(folder), max_new_tokens=6)
    alone = LocalLanguageModel(str(folder), max_new_tokens=6, batch_size=1)
    replies = [*batched.replies(requests)]
    assert replies == [*alone.replies(requests)]
    assert replies[0].text != replies[1].text
    assert replies[0].prompt_tokens > replies[1].prompt_tokens
    assert (batched.usage.requests, batched.usage.failed) == (2, sum(bool(reply.error) for reply in replies))


def test_a_local_model_words_requests_by_its_chat_template(tmp_path):
    folder = write_language_model(tmp_path / "llama", LANGUAGE_MODELS["Llama-3-Instruct"])
    template = "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}{{ bos_token }}"
    (folder / "chat_template.jinja").write_text(template)
    model = LocalLanguageModel(str(folder), max_new_tokens=6)
    [reply] = model.replies([ask("no")])
    assert reply.prompt_tokens == len(model.tokenizer("<user>no<|begin_of_text|>", add_special_tokens=False).input_ids)
