"""`minigpt4 serve` as OpenAI's own client sees it."""

import base64

import pytest
from openai import BadRequestError, OpenAI
from transformers.cli.serving import server

from minigpt4.inference.answering import answer
from minigpt4.inference.turns import user_turn
from minigpt4.loading import load


@pytest.fixture(scope="module")
def picture(deployed):
    return deployed.folder / "pictures" / "0.png"


@pytest.fixture(scope="module")
def client(deployed):
    with OpenAI(base_url=f"http://127.0.0.1:{deployed.port}/v1", api_key="none", max_retries=0) as client:
        yield client


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
    completion = client.chat.completions.create(model="my-model", messages=question(addresses(picture)[form]))
    assert completion.choices[0].message.content == expected
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.completion_tokens > 10


def test_streaming(client, picture, expected):
    stream = client.chat.completions.create(
        model="my-model", messages=question(addresses(picture)["base64"]), stream=True
    )
    pieces = [chunk.choices[0].delta.content for chunk in stream]
    assert sum(bool(piece) for piece in pieces) > 10
    assert "".join(piece or "" for piece in pieces) == expected


def test_a_second_turn_and_a_limit(client, picture, expected):
    messages = question(addresses(picture)["file"])
    messages += [{"role": "assistant", "content": expected}]
    messages += [{"role": "user", "content": "How many objects are there?"}]
    asked = client.chat.completions.create(model="my-model", messages=messages).choices[0].message.content
    assert asked == "There are two objects."
    short = client.chat.completions.create(model="my-model", messages=messages, max_tokens=2).choices[0]
    assert (short.finish_reason, asked.startswith(short.message.content)) == ("length", True)


@pytest.mark.parametrize("stream", [False, True])
def test_stop_comes_on_top_of_the_models_own_end(client, picture, expected, stream):
    def ask(stop) -> str:
        made = client.chat.completions.create(
            model="my-model", messages=question(str(picture)), stop=stop, stream=stream, max_tokens=150
        )
        if stream:
            return "".join(chunk.choices[0].delta.content or "" for chunk in made)
        assert made.choices[0].finish_reason == "stop"
        return made.choices[0].message.content

    assert ask("no such words") == expected
    word = expected.split()[-3]
    cut = ask([word, "no such words"])
    assert expected.startswith(cut)
    assert cut.endswith(word)


def test_another_name_is_refused(client, picture):
    with pytest.raises(BadRequestError):
        client.chat.completions.create(model="other", messages=question(addresses(picture)["file"]))


def test_what_is_no_model_is_refused_at_once(command, tmp_path):
    result = command("serve", "--model", tmp_path)
    assert (result.code, result.out) == (1, "")
    assert result.err == f"minigpt4: {tmp_path} is not a checkpoint: it has no config.json\n"


def test_an_option_that_the_server_does_not_have(command):
    build = server.build_server
    result = command("serve", "--no-such-option")
    assert result.code == 2
    assert "--no-such-option" in result.err
    assert server.build_server is build
