"""The server answers several requests together, as each would be answered alone, and nobody who has hung up."""

import asyncio
import base64
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import torch
from openai import OpenAI
from transformers.generation.streamers import BaseStreamer

from minigpt4.inference.answering import answer
from minigpt4.inference.serving import door as doors
from minigpt4.inference.serving.batching import MOST_WAITING, BatchingManager
from minigpt4.inference.serving.client import GONE, SEED
from minigpt4.inference.serving.door import Door
from minigpt4.inference.serving.remembering import RememberingMiniGPT4
from minigpt4.inference.turns import user_turn
from minigpt4.loading import load


QUESTIONS = ["Describe this image in detail.", "How many objects are there?", "Describe this image in detail."]


@pytest.fixture(scope="module")
def ask(deployed):
    with OpenAI(base_url=f"http://127.0.0.1:{deployed.port}/v1", api_key="none", max_retries=0) as client:

        def ask(number: int, stream: bool = False, **settings) -> str:
            data = base64.b64encode((deployed.folder / "pictures" / f"{number}.png").read_bytes()).decode()
            image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
            content = [image, {"type": "text", "text": QUESTIONS[number % len(QUESTIONS)]}]
            made = client.chat.completions.create(
                model="my-model", messages=[{"role": "user", "content": content}], stream=stream, **settings
            )
            if stream:
                return "".join(chunk.choices[0].delta.content or "" for chunk in made)
            return made.choices[0].message.content

        yield ask


def test_requests_at_once_are_answered_as_alone(ask, deployed):
    chats = [
        [user_turn(QUESTIONS[number % 3], str(deployed.folder / f"pictures/{number}.png"))] for number in range(6)
    ]
    expected = [each.text for each in answer(*load(), chats)]
    with ThreadPoolExecutor(12) as pool:
        whole = [pool.submit(ask, number) for number in range(6)]
        streamed = [pool.submit(ask, number, stream=True) for number in range(6)]
        seeded = [pool.submit(ask, 0, seed=7, temperature=1.5) for _ in range(3)]
    assert [each.result() for each in whole] == [each.result() for each in streamed] == expected
    # What is sampled is the same for a seed, whoever else is answered.
    assert {each.result() for each in seeded} == {ask(0, seed=7, temperature=1.5)}


class HangsUp(BaseStreamer):
    def __init__(self, gone: Event) -> None:
        self.gone, self.count = gone, 0

    def put(self, value: torch.Tensor) -> None:
        self.count += 1
        if self.count == 4:  # the prompt and three tokens
            self.gone.set()

    def end(self) -> None:
        pass


def test_an_answer_ends_when_its_client_hangs_up(tiny_checkpoint):
    model, processor = RememberingMiniGPT4.from_pretrained(tiny_checkpoint).eval(), load(tiny_checkpoint)[1]
    inputs = processor.tokenizer("Talk and talk", return_tensors="pt")
    gone = Event()
    GONE.set(gone)
    try:
        settings = {"min_new_tokens": 50, "max_new_tokens": 50, "do_sample": False}
        rows = model.generate(**inputs, **settings, streamer=HangsUp(gone))
        assert rows.shape[1] == inputs["input_ids"].shape[1] + 4  # it ends with the next one
        assert torch.equal(model.generate(**inputs, **settings), inputs["input_ids"])  # it never begins
    finally:
        GONE.set(None)


class Client:
    """One request to a door, as a server hands it on."""

    def __init__(self, door: Door) -> None:
        self.door, self.hangs_up, self.sent = door, asyncio.Event(), []
        self.body = json.dumps({"messages": [{"role": "user", "content": "Hello"}]}).encode()

    async def receive(self) -> dict:
        if self.body:
            body, self.body = self.body, b""
            return {"type": "http.request", "body": body}
        await self.hangs_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict) -> None:
        self.sent.append(message)

    async def ask(self) -> int:
        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}
        await self.door(scope, self.receive, self.send)
        return self.sent[0]["status"] if self.sent else 0


@pytest.fixture
def loaded():
    return load()


def test_the_server_is_told_when_a_client_hangs_up(loaded):
    told = []

    async def server(scope, receive, send):
        await receive()
        told.append(GONE.get().is_set())
        message = await receive()
        told.append((message["type"], GONE.get().is_set()))

    async def hang_up() -> None:
        client = Client(Door(server, "nano", *loaded))
        asking = asyncio.create_task(client.ask())
        while not told:
            await asyncio.sleep(0)
        client.hangs_up.set()
        await asking

    asyncio.run(hang_up())
    assert told == [False, ("http.disconnect", True)]


def test_so_many_may_wait(loaded, monkeypatch):
    monkeypatch.setattr(doors, "MOST_REQUESTS", 2)

    async def server(scope, receive, send):
        came.append(1)
        await go.wait()

    came: list = []
    go = asyncio.Event()

    async def crowd() -> list[int]:
        door = Door(server, "nano", *loaded)
        first = [asyncio.create_task(Client(door).ask()) for _ in range(2)]
        while len(came) < 2:
            await asyncio.sleep(0)
        refused = await Client(door).ask()
        go.set()
        await asyncio.gather(*first)
        return [refused, await Client(door).ask()]

    assert asyncio.run(crowd()) == [503, 0]


def test_each_request_has_a_seed_from_the_time_it_came(monkeypatch):
    manager, hold = BatchingManager(), Event()
    held = manager.submit(hold.wait)
    seeds = []
    for seed in (3, 4, 3):
        torch.manual_seed(seed)
        seeds.append(manager.submit(SEED.get))
    hold.set()
    held.result()
    one, two, three = (each.result() for each in seeds)
    assert one == three != two


def test_the_guide_says_how_many_may_wait():
    from helpers import read_guide

    assert f"{MOST_WAITING} more wait" in " ".join(read_guide("deploy").split())
