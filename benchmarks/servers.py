"""`minigpt4 serve` under several users, compared with `transformers serve` with LLaVA of the same size."""

import atexit
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache, partial
from itertools import count
from statistics import median

import httpx

from minigpt4.processing.image_addresses import image_address

from . import models
from .case import Case, Figures
from .folders import workplace
from .measuring import interleave
from .processes import running


USERS, NEW_TOKENS = (1, 4, 8, 16), 24
UNSEEN = count()
COMMANDS = {"ours": ["-m", "minigpt4", "serve", "--model"], "llava": ["-m", "transformers.cli.transformers", "serve"]}


@cache
def server(name: str) -> tuple[str, str]:
    """The address of one that lasts as long as this process, and what requests call its model."""
    model = str(workplace() / name)
    started = ExitStack()
    _, address = started.enter_context(running(*COMMANDS[name], model, "--device", "cpu", "--host", "127.0.0.1"))
    atexit.register(started.close)
    return address, model


def ask(name: str, question: str, picture: bytes) -> float:
    """Seconds until the first words of the answer, which is then read to its end."""
    address, model = server(name)
    content = [
        {"type": "image_url", "image_url": {"url": image_address(picture, "jpeg")}},
        {"type": "text", "text": question},
    ]
    body = {"model": model, "messages": [{"role": "user", "content": content}], "stream": True}
    body |= {"max_tokens": NEW_TOKENS, "temperature": 0}
    first, text, start = 0.0, "", time.perf_counter()
    with httpx.stream("POST", f"{address}/v1/chat/completions", json=body, timeout=None, trust_env=False) as answer:
        for line in answer.iter_lines():
            if not line.startswith("data: {"):
                continue
            new = "".join(each["delta"].get("content") or "" for each in json.loads(line[6:])["choices"])
            if new and not text:
                first = time.perf_counter() - start
            text += new
    if len(text.split()) != NEW_TOKENS:
        raise AssertionError(f"{name} answers with {len(text.split())} words, not {NEW_TOKENS}: {text[:200]}")
    return first


def several(users: int) -> Figures:
    questions = [row["text"] for row in models.rows(users, 6, 32)]
    firsts: dict[str, float] = {}

    def answers(name: str) -> None:
        with ThreadPoolExecutor(users) as pool:
            # Pictures that no one has asked about: ours remembers prompts.
            asked = [pool.submit(ask, name, question, models.picture(next(UNSEEN))) for question in questions]
        firsts[f"first_word_s_{name}"] = round(median(each.result() for each in asked), 3)

    seconds = interleave(partial(answers, "ours"), partial(answers, "llava"), repetitions=1)
    return Figures(*(users * NEW_TOKENS / taken for taken in seconds), notes=firsts)


CASES = [
    Case(f"server, {users} users beside LLaVA", "tokens/s", 1.5 if users > 1 else 0.95, partial(several, users))
    for users in USERS
]
