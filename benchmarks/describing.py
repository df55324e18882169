"""`minigpt4 describe FOLDER`, compared with the pipeline of transformers with LLaVA of the same size."""

import json
from collections.abc import Callable
from pathlib import Path

from transformers import pipeline
from typer.testing import CliRunner

from minigpt4.cli import app

from . import models
from .case import Case, Figures
from .chat import operations
from .folders import pictures, workplace
from .generation import decode_bytes
from .measuring import interleave
from .roofline import Work, least_seconds


PICTURES, BATCH, NEW_TOKENS = 24, 8, 24
QUESTION = "Describe this image in detail."


def ours(files: list[Path]) -> list[str]:
    options = ["--model", str(workplace() / "ours"), "--batch-size", str(BATCH), "--max-new-tokens", str(NEW_TOKENS)]
    done = CliRunner().invoke(app, ["describe", str(files[0].parent), "--json", *options], catch_exceptions=False)
    return [json.loads(line)["answer"] for line in done.stdout.splitlines()]


def peer(files: list[Path]) -> list[str]:
    """The same with transformers alone, from the same files."""
    pipe = pipeline("image-text-to-text", str(workplace() / "llava"))
    chats = [
        [{"role": "user", "content": [{"type": "image", "path": str(file)}, {"type": "text", "text": QUESTION}]}]
        for file in files
    ]
    settings = {"max_new_tokens": NEW_TOKENS, "do_sample": False}
    answers = pipe(text=chats, batch_size=BATCH, return_full_text=False, generate_kwargs=settings)
    return [answer["generated_text"] for [answer] in answers]


def _checked(way: Callable[[list[Path]], list[str]], files: list[Path]) -> None:
    lengths = [len(answer.split()) for answer in way(files)]
    if lengths != [NEW_TOKENS] * PICTURES:
        raise AssertionError(f"{way.__name__} answers with {lengths} words, not {NEW_TOKENS} for each picture.")


def describe() -> Figures:
    files = pictures(PICTURES)
    seconds = interleave(lambda: _checked(ours, files), lambda: _checked(peer, files))
    model = models.ours()
    length = models.IMAGE_TOKENS + len(QUESTION.split())  # at least
    prompts = Work(PICTURES * operations(model, length, 1))
    step = Work(BATCH * operations(model, 1, 0), decode_bytes(model))
    limit = PICTURES / least_seconds(prompts, *[step] * (PICTURES // BATCH * (NEW_TOKENS - 1)))
    return Figures(*(PICTURES / taken for taken in seconds), limit)


CASES = [Case("describe, a folder of pictures beside LLaVA", "pictures/s", 1.5, describe)]
