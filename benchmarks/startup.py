"""Imports, and the time from a command to its first output, compared with transformers."""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from minigpt4.evaluation.scenes import draw, sample_scenes

from .case import Case, Figures
from .folders import pictures, workplace
from .measuring import interleave


IMPORTS = "import torch; from transformers import AutoProcessor, LlamaForCausalLM"
# What describe does, with transformers alone.
PEER = """
import sys
from transformers import AutoModelForImageTextToText, AutoProcessor, TextStreamer
model, processor = (kind.from_pretrained(sys.argv[1]) for kind in (AutoModelForImageTextToText, AutoProcessor))
content = [{"type": "image", "path": sys.argv[2]}, {"type": "text", "text": "Describe this image in detail."}]
chat = [{"role": "user", "content": content}]
inputs = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt")
model.generate(**inputs, max_new_tokens=8, streamer=TextStreamer(processor.tokenizer, skip_prompt=True))
"""


def start(*arguments: str) -> float:
    """Seconds of a separate Python process."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def first_output(*arguments: str) -> float:
    """Seconds until a separate Python process has written something to stdout."""
    begin = time.perf_counter()
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0) as process:
        process.stdout.read(1)
        seconds = time.perf_counter() - begin
        process.stdout.read()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds


def empty() -> float:
    return min(start("-c", "pass") for _ in range(3))


def importing() -> Figures:
    seconds = interleave(lambda: start("-c", "import minigpt4"), lambda: start("-c", "import transformers"))
    return Figures(*seconds, empty())


def helping() -> Figures:
    seconds = interleave(
        lambda: first_output("-m", "minigpt4", "--help"), lambda: start("-c", "import transformers"), repetitions=2
    )
    return Figures(*seconds, empty())


def describing() -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.png"
        draw(next(sample_scenes(seed=0, held_out=True)), rng=random.Random(0)).save(path)
        bare: list[float] = []  # it needs these imports anyway
        seconds = interleave(
            lambda: first_output("-m", "minigpt4", "describe", str(path)),
            lambda: bare.append(start("-c", IMPORTS)),
            repetitions=2,
        )
    return Figures(*seconds, min(bare))


def describing_beside_llava() -> Figures:
    [picture] = pictures(1)
    ours = ["-m", "minigpt4", "describe", str(picture), "--model", str(workplace() / "ours"), "--max-new-tokens", "8"]
    seconds = interleave(
        lambda: first_output(*ours),
        lambda: first_output("-c", PEER, str(workplace() / "llava"), str(picture)),
        repetitions=1,
    )
    return Figures(*seconds, min(start("-c", IMPORTS) for _ in range(2)))


CASES = [
    Case("start-up, import", "s", 2.0, importing, less_is_better=True),
    Case("start-up, --help beside importing transformers", "s", 1.0, helping, less_is_better=True),
    Case("first word, describe with nano beside the bare imports", "s", 1.5, describing, less_is_better=True),
    Case("first word, describe beside LLaVA", "s", 1.2, describing_beside_llava, less_is_better=True),
]
