"""Visitors of `minigpt4 app` in a soak test. They use the protocol of the page in a browser."""

import json
import random
import uuid
from itertools import islice

import httpx

from benchmarks.hostile import Site, bomb, encoded, large
from minigpt4.evaluation.scenes import draw, sample_scenes


SETTINGS = [40, 1, False, 1.0, 1.0]


class Visitor:
    """Makes its `requests` one after another; each returns its result."""

    def __init__(self, address: str, site: Site, chance: random.Random) -> None:
        self.random = chance
        self._client = httpx.Client(base_url=address, timeout=120, trust_env=False)
        self._pictures = [encoded(draw(scene)) for scene in islice(sample_scenes(seed=chance.random()), 32)]
        page = self._client.get("/config").json()
        self._events = {each["api_name"]: each["id"] for each in page["dependencies"]}
        self._begin()
        good = [self.describe, self.talk, self.again, self.example, self.clear, self.undo, self.reload, self.leave]
        hostile = [
            self.hang_up,
            self.alien_chat,
            self.bomb,
            self.no_picture,
            self.too_many_pictures,
            self.bad_setting,
            self.bad_message,
            self.bad_edit,
            self.unknown_event,
            self.file_of_the_server,
            self.long_text,
            self.no_json,
            self.other_host,
        ]
        rare = [self.large_picture]
        self.requests = [*good * 4, *hostile * 2, *rare]

    def describe(self):
        return self._say("Describe this image in detail.", [self._upload(self.random.choice(self._pictures))])

    def talk(self):
        return self._say("Hello " * self.random.randint(1, 20))

    def again(self):
        return self._event("retry", [None, *SETTINGS])

    def example(self):
        return self._event("begin", [None, *SETTINGS], {"index": self.random.randrange(3)})

    def clear(self):
        return self._event("clear", [None])

    def undo(self):
        return self._event("undo", [None])

    def reload(self):
        """The same browser again, or another."""
        return self._event("arrive", [self._key, None])

    def leave(self):
        """A new visitor arrives."""
        self._begin()
        return self._client.get("/").status_code

    def hang_up(self):
        self._join("send", [{"text": "Hello", "files": []}, None, None, *SETTINGS])
        with self._client.stream("GET", "/gradio_api/queue/data", params={"session_hash": self._session}) as answer:
            next(answer.iter_raw(), b"")
        self._begin()
        return "hung up"

    def alien_chat(self):
        """What no browser of ours kept."""
        kept = self.random.choice(["", "[" * 50_000, '{"minigpt4-chat": 1, "turns": [5]}', "# Notes", None])
        return self._event("reopen", [kept, None, None])

    def bomb(self):
        return self._say("What is this?", [self._upload(bomb())])

    def large_picture(self):
        return self._say("What is this?", [self._upload(large())])

    def no_picture(self):
        content = self.random.choice([b"", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>", bomb()[:500], bytes(1000)])
        return self._say("What is this?", [self._upload(content)])

    def too_many_pictures(self):
        return self._say("What is this?", [self._upload(self._pictures[0])] * 9)

    def bad_setting(self):
        settings = list(SETTINGS)
        settings[self.random.randrange(5)] = self.random.choice(["abc", -5, 1e300, None, [], {}])
        return self._event("send", [{"text": "Hello", "files": []}, None, None, *settings])

    def bad_message(self):
        message = self.random.choice([None, 5, {}, {"text": 5, "files": "x"}, {"text": "", "files": []}, []])
        return self._event("send", [message, {"x": []}, None, *SETTINGS])

    def bad_edit(self):
        event = self.random.choice([None, {}, {"turn": 10**9, "text": "x"}, {"turn": -3, "text": None}])
        return self._event("edit", [None, *SETTINGS], event)

    def unknown_event(self):
        return self._join(self.random.choice([99, -1, "x", None]), [1, 2, 3])

    def file_of_the_server(self):
        path = self.random.choice(
            ["/gradio_api/file=/etc/passwd", "/gradio_api/file=../../setup.cfg", "/file=/etc/passwd"]
        )
        if self.random.random() < 0.5:
            return self._say("What is this?", ["/etc/passwd"])
        return self._client.get(path).status_code

    def long_text(self):
        return self._say("long " * self.random.choice([3_000, 100_000]))

    def no_json(self):
        content = self.random.choice([b"", b"[" * 50_000, b"\xff", b'{"data":'])
        headers = {"Content-Type": "application/json"}
        return self._client.post("/gradio_api/queue/join", content=content, headers=headers).status_code

    def other_host(self):
        return self._client.get("/", headers={"Host": "evil.example"}).status_code

    def _begin(self) -> None:
        self._key = uuid.UUID(int=self.random.getrandbits(128)).hex
        self._session = self._key[:12]

    def _say(self, text: str, files: list[str] | None = None):
        given = [{"path": file, "meta": {"_type": "gradio.FileData"}} for file in files or []]
        return self._event("send", [{"text": text, "files": given}, None, None, *SETTINGS])

    def _upload(self, content: bytes) -> str:
        answer = self._client.post("/gradio_api/upload", files={"files": ("picture.png", content)})
        return answer.json()[0]

    def _event(self, name: str, data: list, event: dict | None = None) -> str:
        """Trigger an event of the page, and wait until it is done."""
        if (status := self._join(self._events[name], data, event)) != 200:
            return str(status)
        with self._client.stream("GET", "/gradio_api/queue/data", params={"session_hash": self._session}) as answer:
            for line in answer.iter_lines():
                if "process_completed" in line:
                    done = json.loads(line.removeprefix("data:"))
                    return ("done" if done.get("success") else "failed") + (
                        ", notice" if 'role=\\"alert' in line else ""
                    )
        return "no end"

    def _join(self, event, data: list, detail: dict | None = None) -> int:
        number = self._events.get(event, event)
        body = {"data": data, "fn_index": number, "session_hash": self._session, "event_data": detail}
        return self._client.post("/gradio_api/queue/join", json=body).status_code
