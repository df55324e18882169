"""Commands whose pictures two processes share, beside one process: `python -m benchmarks.scaling [WORD ...]`.

Each process has one thread. Start-up and loading are not shared, so only the pictures between two lengths count: the time of 3 N pictures minus that
of N, with N of `COMMANDS` so that all of it takes about five minutes on two idle cores. For the same reason processes are forked, not launched. The
limit is two runs at once that know nothing of each other, each with all pictures: what two of this machine's cores can do. It is an error if two
processes give another result than one.
"""

import json
import operator
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from minigpt4.cli import run
from minigpt4.curation import Table

from .__main__ import main as report
from .case import Case, Figures
from .folders import pictures, workplace
from .forking import run_ranks


BATCH, NEW_TOKENS, TARGET = 8, 24, 1.8
WAYS = {"one": (1, True), "two": (2, True), "apart": (2, False)}  # processes, and whether they share the work


@dataclass(frozen=True)
class Command:
    """
    Args:
        name (`str`): of the command.
        pictures (`int`): N.
        words (`Callable`): the command line for a folder of pictures and a place for results.
        result (`Callable`): what came out, from that place.
        equal (`Callable`, *optional*, defaults to `==`): whether two results are the same.
    """

    name: str
    pictures: int
    words: Callable[[list[Path], Path], list[str]]
    result: Callable[[Path], Any]
    equal: Callable[[Any, Any], bool] = operator.eq


def describe(files: list[Path], output: Path) -> list[str]:
    options = ["--model", str(workplace() / "ours"), "--batch-size", str(BATCH), "--max-new-tokens", str(NEW_TOKENS)]
    return ["describe", str(files[0].parent), "--json", *options]


def described(output: Path) -> list[str]:
    return sorted((output / "stdout").read_text().splitlines())


def cache_features(files: list[Path], output: Path) -> list[str]:
    lines = [json.dumps({"file_name": file.name, "text": "a picture"}) for file in files]
    (files[0].parent / "metadata.jsonl").write_text("\n".join(lines))
    settings = {
        "model_name_or_path": workplace() / "ours",
        "data": files[0].parent,
        "features": output / "features",
        "per_device_train_batch_size": BATCH,
        "dataloader_num_workers": 0,
        "bf16": "false",
        "use_cpu": "true",
        "disable_tqdm": "true",
    }
    return [
        "cache-features",
        "stage1",
        *(word for key, value in settings.items() for word in ("--set", f"{key}={value}")),
    ]


def cached(output: Path) -> dict[str, torch.Tensor]:
    return {key: made for file in (output / "features").glob("*.safetensors") for key, made in load_file(file).items()}


def are_close(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    """A picture may have others beside it in a batch, and sums another order."""
    return one.keys() == two.keys() and all(torch.allclose(one[key], two[key], atol=1e-5) for key in one)


def evaluate(files: list[Path], output: Path) -> list[str]:
    data = output / "data" / "vsr"
    data.mkdir(parents=True)
    rows = [{"image": file.name, "caption": "The cube is beside the disc.", "label": 1} for file in files]
    (data / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (data / "images").symlink_to(files[0].parent)
    options = ["--model", str(workplace() / "ours"), "--batch-size", str(BATCH), "--output", str(output)]
    return ["evaluate", "vsr", "--data", str(data.parent), *options]


def evaluated(output: Path) -> list[dict]:
    return json.loads((output / "vsr.json").read_text())["samples"]


def generate(files: list[Path], output: Path) -> list[str]:
    generating = {"model": str(workplace() / "ours"), "batch_size": BATCH, "settings": {"max_new_tokens": NEW_TOKENS}}
    recipe = {"output": str(output / "made"), "source": {"images": str(files[0].parent)}, "generate": generating}
    (output / "recipe.yaml").write_text(json.dumps(recipe))  # which is YAML, too
    return ["curate", str(output / "recipe.yaml"), "generate"]


def generated(output: Path) -> list[tuple[str, str]]:
    return [(row["image"], row["generate"]["text"]) for row in Table.open(output / "made").rows]


# With as many batches for each of two processes.
COMMANDS = [
    Command("describe", 16, describe, described),
    Command("cache-features", 48, cache_features, cached, are_close),
    Command("evaluate", 16, evaluate, evaluated),
    Command("curate, generate", 16, generate, generated),
]


@dataclass(frozen=True)
class Run:
    """
    Args:
        result (`Any`): what came out.
        seconds (`float`): by the clock, start included.
        cpu_seconds (`float`): of the process that took most, since a wait for the other takes none.
    """

    result: Any
    seconds: float
    cpu_seconds: float


def work(command: Command, count: int, way: str) -> Run:
    """Run the command over so many pictures."""
    processes, together = WAYS[way]
    files = pictures(count)
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder, str(number)) for number in range(1 if together else processes)]
        for output in outputs:
            output.mkdir()
        words = [command.words(files, output) for output in outputs]
        start = time.perf_counter()
        endings = run_ranks(partial(_process, words, outputs), processes)
        seconds = time.perf_counter() - start
        if any(endings):
            errors = "".join((output / "stderr").read_text() for output in outputs)
            raise SystemExit(f"{command.name} ended with {endings}:\n{errors}")
        taken = [float(file.read_text()) for output in outputs for file in output.glob("cpu-seconds-*")]
        return Run(command.result(outputs[-1]), seconds, max(taken))


def _process(words: list[list[str]], outputs: list[Path]) -> None:
    rank = os.environ.get("RANK", "0")
    number = int(rank) % len(words)
    os.environ["ACCELERATE_USE_CPU"] = "true"
    if len(words) > 1:
        for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
            del os.environ[name]
    for stream, name in ((sys.stdout, "stdout"), (sys.stderr, "stderr")):
        os.dup2(os.open(outputs[number] / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream.fileno())
    code = run(words[number])
    sys.stdout.flush()
    (outputs[number] / f"cpu-seconds-{rank}").write_text(str(time.process_time()))
    if code:
        raise SystemExit(code)


def measure(command: Command) -> Figures:
    lengths = (command.pictures, 3 * command.pictures)
    few, many = ({way: work(command, count, way) for way in WAYS} for count in lengths)
    if not all(command.equal(runs["one"].result, runs["two"].result) for runs in (few, many)):
        raise AssertionError(f"{command.name} gives something else in two processes than in one.")
    added = lengths[1] - lengths[0]
    rates = {way: added / (many[way].seconds - few[way].seconds) for way in WAYS}
    one, two = (many[way].cpu_seconds - few[way].cpu_seconds for way in ("one", "two"))
    notes = {"pictures": added, "ratio_by_cpu_seconds": round(one / two, 3)}
    return Figures(rates["two"], rates["one"], 2 * rates["apart"], notes)


CASES = [
    Case(f"{command.name}, two processes beside one", "pictures/s", TARGET, partial(measure, command))
    for command in COMMANDS
]


if __name__ == "__main__":
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    report(sys.argv[1:], CASES)
