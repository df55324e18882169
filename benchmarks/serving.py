"""Several users of one model at once, compared with one at a time, as `transformers serve` answers."""

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from transformers.generation.streamers import BaseStreamer

from minigpt4.inference.engine import Engine

from . import models
from .case import Case, Figures
from .chat import operations
from .generation import decode_bytes, inputs_of
from .measuring import interleave
from .roofline import Work, least_seconds


USERS, NEW_TOKENS = 8, 64


class FirstToken(BaseStreamer):
    """When the first token came."""

    def __init__(self) -> None:
        self.begin, self.seconds, self._seen = time.perf_counter(), 0.0, 0

    def put(self, value) -> None:
        self._seen += 1
        if self._seen == 2:  # the prompt comes first
            self.seconds = time.perf_counter() - self.begin

    def end(self) -> None:
        pass


def requests(users: int) -> list[dict]:
    """A question of 6 to 32 tokens about a picture from each user."""
    settings = {"max_new_tokens": NEW_TOKENS, "do_sample": False}
    return [{**inputs_of([row]), **settings} for row in models.rows(users, 6, 32)]


def several(users: int) -> Figures:
    model = models.ours().requires_grad_(False)
    model.generation_config.eos_token_id = None  # every answer has the same number of tokens
    engine, given = Engine(model), requests(users)
    firsts: dict[str, list[float]] = {"together": [], "one_at_a_time": []}

    def answers(way: str, generate) -> list[list[int]]:
        streamers = [FirstToken() for _ in given]
        with ThreadPoolExecutor(users if way == "together" else 1) as pool:
            asked = [
                pool.submit(generate, **each, streamer=streamer)
                for each, streamer in zip(given, streamers, strict=True)
            ]
        firsts[way].append(median(streamer.seconds for streamer in streamers))
        return [each.result()[0, -NEW_TOKENS:].tolist() for each in asked]

    same = answers("together", engine.generate) == answers("one_at_a_time", model.generate)
    seconds = interleave(
        lambda: answers("together", engine.generate),
        lambda: answers("one_at_a_time", model.generate),
        repetitions=2,
    )
    notes = {f"first_token_s_{way}": round(median(each), 3) for way, each in firsts.items()}
    prompts = sum(operations(model, each["input_ids"].shape[1], 1) for each in given)
    steps = NEW_TOKENS - 1
    step = Work(users * operations(model, 1, 0), decode_bytes(model))
    limit = users * NEW_TOKENS / least_seconds(Work(prompts), *[step] * steps)
    return Figures(*(users * NEW_TOKENS / taken for taken in seconds), limit, {"same_tokens": same, **notes})


CASES = [Case(f"serving, {USERS} users beside one at a time", "tokens/s", 2.5, lambda: several(USERS))]
