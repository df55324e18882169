"""Visitors of `minigpt4 serve` in a soak test."""

import json
import random
from itertools import islice

import httpx

from benchmarks.hostile import Site, bomb, large
from minigpt4.evaluation.scenes import draw, sample_scenes
from minigpt4.processing.image_addresses import image_address


class Visitor:
    """Makes its `requests` one after another; each returns its result."""

    def __init__(self, address: str, site: Site, chance: random.Random) -> None:
        self.random = chance
        self._site = site
        self._client = httpx.Client(base_url=address, timeout=120, trust_env=False)
        self._pictures = [
            image_address(draw(scene), "png") for scene in islice(sample_scenes(seed=chance.random()), 32)
        ]
        good = [self.describe, self.talk, self.second_turn, self.stream, self.complete, self.response, self.models]
        hostile = [
            self.hang_up,
            self.slow_address,
            self.endless_address,
            self.redirected,
            self.bomb,
            self.no_picture,
            self.bad_number,
            self.bad_message,
            self.long_text,
            self.large_body,
            self.no_json,
            self.other_model,
            self.closed_path,
            self.other_host,
        ]
        rare = [self.large_picture]
        self.requests = [*good * 4, *hostile * 2, *rare]

    def describe(self):
        return self._chat([_user("Describe this image in detail.", self._picture())])

    def talk(self):
        return self._chat([_user("Hello " * self.random.randint(1, 50))])

    def second_turn(self):
        chat = [_user("How many objects are there?", self._picture()), {"role": "assistant", "content": "Two."}]
        self._chat(chat[:1])
        return self._chat([*chat, _user("Describe this image in detail.")])

    def stream(self):
        return self._chat([_user("Describe this image in detail.", self._picture())], stream=True)

    def complete(self):
        return self._post("/v1/completions", {"prompt": "The image shows", "max_tokens": 8})

    def response(self):
        return self._post("/v1/responses", {"input": "Hello", "stream": False, "max_output_tokens": 8})

    def models(self):
        return self._client.get("/v1/models").status_code

    def hang_up(self):
        body = {"messages": [_user("Describe this image in detail.", self._picture())], "stream": True}
        with self._client.stream("POST", "/v1/chat/completions", json=body) as answer:
            next(answer.iter_raw(), b"")
        return "hung up"

    def slow_address(self):
        return self._chat([_user("What is this?", self._site.address + self.random.choice(["/drip", "/headers"]))])

    def endless_address(self):
        return self._chat([_user("What is this?", f"{self._site.address}/endless")])

    def redirected(self):
        return self._chat([_user("What is this?", self._site.address + self.random.choice(["/file", "/loop"]))])

    def bomb(self):
        return self._chat([_user("What is this?", image_address(bomb(), "png"))])

    def large_picture(self):
        return self._chat([_user("What is this?", image_address(large(), "png"))])

    def no_picture(self):
        address = self.random.choice(
            ["/etc/passwd", "nothing.png", image_address(b"%!PS", "png"), image_address(bomb()[:500], "png"), ""]
        )
        return self._chat([_user("What is this?", address)])

    def bad_number(self):
        key = self.random.choice(["temperature", "max_tokens", "top_p", "seed", "frequency_penalty"])
        value = self.random.choice(["abc", -5, float("nan"), 1e300, 10**30, [], {}])
        return self._chat([_user("Hello")], **{key: value})

    def bad_message(self):
        return self._chat(
            self.random.choice(
                [[], None, [1], [{"role": "alien", "content": "x"}], [_user("")], [_user("<ImageHere>")]]
            )
        )

    def long_text(self):
        return self._chat([_user("long " * self.random.choice([3_000, 150_000, 1_000_000]))])

    def large_body(self):
        return self._post_bytes(bytes(40_000_000))

    def no_json(self):
        return self._post_bytes(self.random.choice([b"", b"[" * 50_000, b"\xff", b'{"messages":']))

    def other_model(self):
        path = self.random.choice(["/load_model", "/v1/chat/completions"])
        return self._post(path, {"model": "somebody/other", "messages": [_user("Hello")]})

    def closed_path(self):
        return self._post(self.random.choice(["/reset", "/v1/audio/transcriptions", "/v1/systemone", "/../etc"]), {})

    def other_host(self):
        return self._client.get("/v1/models", headers={"Host": "evil.example"}).status_code

    def _picture(self) -> str:
        return self.random.choice(self._pictures)

    def _chat(self, messages, **settings):
        return self._post("/v1/chat/completions", {"messages": messages, **settings})

    def _post(self, path: str, body: dict):
        return self._post_bytes(json.dumps(body).encode(), path)

    def _post_bytes(self, body: bytes, path: str = "/v1/chat/completions"):
        answer = self._client.post(path, content=body, headers={"Content-Type": "application/json"})
        failed = b'data: {"error"' in answer.content  # in the middle of a stream
        return f"{answer.status_code}{', then an error' if failed else ''}"


def _user(text: str, picture: str | None = None) -> dict:
    parts = [] if picture is None else [{"type": "image_url", "image_url": {"url": picture}}]
    return {"role": "user", "content": [*parts, {"type": "text", "text": text}]}
