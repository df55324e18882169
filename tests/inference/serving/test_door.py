"""The server under attack: it says what is wrong with a request, and goes on answering all others."""

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from helpers import read_guide
from openai import OpenAI
from PIL import Image

from benchmarks.hostile import bomb, encoded, site
from minigpt4.inference.answering import answer
from minigpt4.inference.serving.door import MOST_BODY_MEGABYTES, MOST_PICTURE_MEGABYTES, SECONDS, Door
from minigpt4.inference.serving.pictures import MOST_MEGAPIXELS
from minigpt4.inference.serving.requests import KINDS
from minigpt4.inference.turns import user_turn
from minigpt4.loading import load
from minigpt4.processing.image_loading import load_image


GUIDE = read_guide("deploy")


@pytest.fixture(scope="module")
def client(deployed):
    with httpx.Client(base_url=f"http://127.0.0.1:{deployed.port}", timeout=120, trust_env=False) as client:
        yield client


@pytest.fixture
def hostile(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with site() as hostile:
        yield hostile


def user(text: str = "Describe this image in detail.", picture: str | None = None) -> dict:
    parts = [] if picture is None else [{"type": "image_url", "image_url": {"url": picture}}]
    return {"role": "user", "content": [*parts, {"type": "text", "text": text}]}


def data(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def chat(client, messages, **settings) -> httpx.Response:
    body = json.dumps({"model": "my-model", "messages": messages, **settings})
    return client.post("/v1/chat/completions", content=body, headers={"Content-Type": "application/json"})


def refusal(response: httpx.Response, status: int = 400) -> str:
    assert response.status_code == status, response.text
    message = response.json()["error"]["message"]
    assert "\n" not in message
    return message


# What is wrong is said


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"temperature": "abc"}, "temperature: Input should be a valid number, .*'abc'"),
        ({"temperature": float("nan")}, "temperature: Input should be a finite number .*nan"),
        ({"temperature": 1e300}, "temperature: Input should be less than or equal to 2"),
        ({"temperature": 1e-40}, "temperature: .*: give 0"),
        ({"temperature": -1}, "temperature: Input should be greater than or equal to 0"),
        ({"top_p": 5}, "top_p: Input should be less than or equal to 1"),
        ({"top_p": 0}, "top_p: Input should be greater than 0"),
        ({"max_tokens": -1}, r"max_tokens: Input should be greater than or equal to 1 \(got -1\)"),
        ({"max_tokens": 10**30}, "max_tokens: must be at most 2048, the context length of the model"),
        ({"max_completion_tokens": 0}, "max_completion_tokens: "),
        ({"frequency_penalty": -1}, "frequency_penalty: Input should be greater than -1"),
        ({"seed": 2**70}, "seed: "),
        ({"stop": ""}, "stop: "),
        ({"logit_bias": {"1000000": 1}}, "logit_bias.1000000: must be a token id from 0 to "),
        ({"generation_config": '{"num_beams": 100000}'}, "generation_config.num_beams: .*100000"),
        ({"generation_config": "{"}, "generation_config: Invalid JSON"),
        (
            {"chat_template_kwargs": {"size": 100_000}},
            "chat_template_kwargs: the chat template has no variable 'size'",
        ),
        ({"model": "other"}, "the only model of this server is 'my-model' .*'other'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_bad_settings(client, settings, line, stream):
    assert re.match(line, refusal(chat(client, [user("Hello")], stream=stream, **settings)))


@pytest.mark.parametrize(
    ("messages", "line"),
    [
        ([], "messages: List should have at least 1 item"),
        (None, "messages: "),
        ([{"content": "Hello"}], "messages.0.role: Field required"),
        (
            [{"role": "alien", "content": "Hello"}],
            "MiniGPT-4 knows the roles system (first only), user and assistant, not alien.",
        ),
        ([user("Hello"), {"role": "system", "content": "Be nice."}], "MiniGPT-4 knows the roles"),
        ([{"role": "user", "content": ""}], "messages: the content of message 0 is empty"),
        ([{"role": "user", "content": []}], "messages: the content of message 0 is empty"),
        ([{"role": "user"}], "messages: the content of message 0 is empty"),
        (
            [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "x"}}]}],
            "messages.0.content.0: Input tag 'video_url'",
        ),
        ([{"role": "assistant", "tool_calls": [{}]}], "messages.0.tool_calls: the model does not call tools"),
        ([user("What is <ImageHere>?")], "the conversation contains 1 <ImageHere> but 0 pictures"),
        ([user("long " * 3_000)], "the conversation has "),
        ([user("x" * 1_000_001)], "the text has 1000001 characters, the maximum is 1000000"),
    ],
    ids=str,
)
def test_bad_messages(client, messages, line):
    assert refusal(chat(client, messages)).startswith(line)


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("nothing.png", "No image file at 'nothing.png'"),
        ("log", "log is not an image"),
        ("/", "/ is a folder"),
        (data(b"%!PS"), "the data: image is not an image"),
        (data(bomb()), "the data: image is too large to open safely: 13000 x 13000 is more than 50 million pixels"),
        (data(encoded(Image.effect_noise((200, 200), 80))[:2_000]), "the data: image is damaged or cut short"),
        ("http://127.0.0.1:1/picture.png", "Could not read an image from http://127.0.0.1:1/picture.png: "),
        ("http://[", "Could not read an image from http://[: "),
    ],
    ids=lambda value: value[:30],
)
def test_bad_pictures(client, address, line):
    assert refusal(chat(client, [user(picture=address)])).startswith(line)


@pytest.mark.parametrize(
    ("path", "body", "line"),
    [
        ("/v1/completions", {"prompt": ""}, "prompt: must not be empty"),
        ("/v1/completions", {"prompt": "<ImageHere>"}, "<ImageHere> is reserved for pictures"),
        ("/v1/completions", {"prompt": "Hello", "max_tokens": -1}, "max_tokens: "),
        ("/v1/responses", {}, "input: Field required"),
        ("/v1/responses", {"input": [{"role": "user", "content": ""}]}, "input: the content of message 0 is empty"),
        ("/v1/responses", {"input": "Hello", "temperature": "abc"}, "temperature: "),
        ("/v1/responses", {"input": [{"type": "input_image", "image_url": "nothing.png"}]}, "No image file at"),
        ("/load_model", {"model": "somebody/other"}, "the only model of this server is 'my-model'"),
        ("/load_model", {}, "model: Field required"),
        ("/load_model", [], "the request: Input should be an object"),
    ],
)
def test_bad_requests_of_other_kinds(client, path, body, line):
    assert refusal(client.post(path, json=body)).startswith(line)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 100_000, b"[]", b'{"messages": "\\ud800"}'], ids=lambda body: repr(body[:5])
)
@pytest.mark.parametrize("path", [*KINDS, "/load_model"])
def test_what_is_no_request(client, path, body):
    refusal(client.post(path, content=body, headers={"Content-Type": "application/json"}))


@pytest.mark.parametrize("path", ["/reset", "/v1/audio/transcriptions", "/v1/systemone", "/openapi.json", "/docs"])
def test_what_would_load_or_drop_models_is_closed(client, path):
    """Transcriptions, for one, loads whatever model it is told, from anywhere."""
    refusal(client.post(path, json={"model": "somebody/other"}), 404)
    refusal(client.get(path), 404)
    assert chat(client, [user("Hello")], max_tokens=2).status_code == 200


def test_other_content_types_are_refused(client):
    body = json.dumps({"messages": [user("Hello")]})
    refusal(client.post("/v1/chat/completions", content=body, headers={"Content-Type": "text/plain"}), 415)


# What is right is answered as before


def test_a_second_turn_as_clients_send_it(client):
    """With nulls for all that an answer does not have."""
    said = {"role": "assistant", "content": "Hello.", "tool_calls": None, "refusal": None}
    answered = chat(client, [user("Hello"), said, user("And?")], max_tokens=4, stop=None, chat_template_kwargs=None)
    assert answered.status_code == 200
    empty = said | {"tool_calls": []}
    assert (
        chat(client, [user("Hello"), empty, user("And?")], max_tokens=4).json()["choices"]
        == answered.json()["choices"]
    )


def test_pictures_in_every_kind_of_request(deployed, client):
    picture = deployed.folder / "pictures" / "0.png"
    [described] = answer(*load(), [[user_turn("Describe this image in detail.", str(picture))]])
    parts = [
        {"type": "input_image", "image_url": data(picture.read_bytes())},
        {"type": "input_text", "text": "Describe this image in detail."},
    ]
    for given in (parts, [{"role": "user", "content": parts}]):
        response = client.post("/v1/responses", json={"input": given, "stream": False})
        assert response.json()["output"][0]["content"][0]["text"] == described.text


def test_the_model_reads_the_pixels_of_the_original(monkeypatch):
    """Of pictures of any size, mode and turn: what the door hands over comes to the same numbers."""
    model, processor = load()
    door = Door(None, "nano", model, processor)
    turned = Image.Exif()
    turned[0x0112] = 6
    noise = Image.effect_noise((613, 401), 90)
    for picture in (noise.convert("RGB"), noise, noise.convert("RGBA"), noise.resize((7, 900)), noise.convert("P")):
        content = encoded(picture)
        expected = processor.image_processor(load_image(content), return_tensors="pt")["pixel_values"]
        handed = processor.image_processor(door._small(content), return_tensors="pt")["pixel_values"]
        assert handed.equal(expected)


def test_models_without_a_hub_cache(tmp_path, deployed):
    """The server lists its own model: it gives no other, and there may be no cache to look into."""
    [models] = httpx.get(f"http://127.0.0.1:{deployed.port}/v1/models", trust_env=False).json()["data"]
    assert models["id"] == "my-model"
    with OpenAI(base_url=f"http://127.0.0.1:{deployed.port}/v1", api_key="none", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["my-model"]


# All others are answered meanwhile


def test_addresses_that_drip_block_nobody_and_end(client, hostile):
    with ThreadPoolExecutor() as pool:
        waiting = {
            address: pool.submit(chat, client, [user(picture=address)])
            for address in (f"{hostile.address}/drip", f"{hostile.address}/headers")
        }
        assert all(dripping.wait(60) for dripping in hostile.dripping.values())
        assert chat(client, [user("Hello")], max_tokens=4).status_code == 200
        assert not any(answer.done() for answer in waiting.values())  # they go on, and were asked for first
        for address, answer in waiting.items():
            too_late = rf"Could not read an image from {address}: it did not arrive within .* seconds\."
            assert re.fullmatch(too_late, refusal(answer.result()))


def test_an_address_without_end_is_read_to_the_limit_only(client, hostile):
    line = refusal(chat(client, [user(picture=f"{hostile.address}/endless")]))
    assert line.endswith("it is larger than the limit of 20 MB")
    assert hostile.sent < 2 * MOST_PICTURE_MEGABYTES * 1_000_000  # what was on its way is lost


def test_redirects_lead_to_web_sites_only(client, hostile):
    for path in ("/file", "/loop"):
        assert "Could not read an image from" in refusal(chat(client, [user(picture=hostile.address + path)]))


def test_a_request_that_is_too_large(client):
    assert "larger than 32 MB" in refusal(
        client.post("/v1/chat/completions", content=bytes(33_000_000), headers={"Content-Type": "application/json"}),
        413,
    )


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "localhost@evil"])
def test_other_names_are_refused(client, host):
    refused = client.get("/v1/models", headers={"Host": host})
    assert (refused.status_code, refused.text) == (400, "Invalid host header")


def test_the_names_of_this_machine_are_taken(deployed, client):
    for host in ("localhost", "127.0.0.1", "[::1]", f"localhost:{deployed.port}"):
        assert client.get("/v1/models", headers={"Host": host}).status_code == 200


def test_a_large_picture_is_gone_once_it_is_read(memory_of_large_pictures):
    """The peak is what the one picture takes, and it is let go."""
    prepare = (
        "from minigpt4.loading import load; from minigpt4.inference.serving.door import Door;"
        "door = Door(None, 'nano', *load())"
    )
    peak, kept = memory_of_large_pictures(prepare, "small = door._small(picture); assert len(small) < 1e6")
    assert peak < 450
    assert kept < 60


# Promises of the guide


def test_limits_of_the_guide_are_those_of_the_server():
    text = " ".join(GUIDE.split())
    for promise in (
        f"{MOST_MEGAPIXELS} million pixels",
        f"{MOST_PICTURE_MEGABYTES} MB from an address",
        f"{SECONDS} seconds",
        f"{MOST_BODY_MEGABYTES} MB",
    ):
        assert promise in text
