"""`minigpt4 serve` as OpenAI's own client sees it."""

import base64
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from openai import BadRequestError, OpenAI

from minigpt4.answering import answer, user_turn
from minigpt4.evaluation.scenes import draw, sample_scenes
from minigpt4.loading import load


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("scene") / "scene.png"
    draw(next(iter(sample_scenes(seed=5)))).save(path)
    return path


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Of a server in a process of its own, with nano saved to a folder as any model is."""
    folder = tmp_path_factory.mktemp("served") / "nano"
    for part in load():
        part.save_pretrained(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "minigpt4",
        "serve",
        "--model",
        "nano",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    log = (folder.parent / "log").open("w")
    server = subprocess.Popen(
        command, cwd=folder.parent, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server)
        with OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0) as client:
            yield client
    finally:
        server.terminate()
        server.wait()
        log.close()


def wait_for(address: str, server: subprocess.Popen) -> None:
    while server.poll() is None:
        try:
            urllib.request.urlopen(address).close()
            return
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError(f"the server ended with {server.returncode}")


def question(address: str) -> list[dict]:
    image = {"type": "image_url", "image_url": {"url": address}}
    return [{"role": "user", "content": [image, {"type": "text", "text": "Describe this image in detail."}]}]


@pytest.fixture(scope="module")
def expected(picture) -> str:
    [described] = answer(*load(), [[user_turn("Describe this image in detail.", str(picture))]])
    return described.text


def addresses(picture) -> dict[str, str]:
    data = base64.b64encode(picture.read_bytes()).decode()
    return {"base64": f"data:image/png;base64,{data}", "file": str(picture)}


@pytest.mark.parametrize("form", ["base64", "file"])
def test_a_picture_is_described_as_everywhere_else(client, picture, expected, form):
    completion = client.chat.completions.create(model="nano", messages=question(addresses(picture)[form]))
    assert completion.choices[0].message.content == expected
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.completion_tokens > 10


def test_streaming(client, picture, expected):
    stream = client.chat.completions.create(model="nano", messages=question(addresses(picture)["base64"]), stream=True)
    pieces = [chunk.choices[0].delta.content for chunk in stream]
    assert sum(bool(piece) for piece in pieces) > 10
    assert "".join(piece or "" for piece in pieces) == expected


def test_a_second_turn_and_a_limit(client, picture, expected):
    messages = question(addresses(picture)["file"])
    messages += [{"role": "assistant", "content": expected}]
    messages += [{"role": "user", "content": "How many objects are there?"}]
    asked = client.chat.completions.create(model="nano", messages=messages).choices[0].message.content
    assert asked == "There are two objects."
    short = client.chat.completions.create(model="nano", messages=messages, max_tokens=2).choices[0]
    assert (short.finish_reason, asked.startswith(short.message.content)) == ("length", True)


def test_another_name_is_refused(client, picture):
    with pytest.raises(BadRequestError):
        client.chat.completions.create(model="other", messages=question(addresses(picture)["file"]))
