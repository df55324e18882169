"""Runs that are killed at random moments and resumed until they finish, compared with uninterrupted runs.

    python -m benchmarks.kills [--kills 10] [--seed 0] [WORD …]

For each case (or those whose names contain one of the words) `minigpt4 train` runs on nano for three epochs: once without
interruption, and once killed by SIGKILL with all its processes, `--kills` times, spread over the epochs; every second
kill comes at about the moment when a checkpoint is written. Prints one JSON line per case, and a table at the end. The
exit code is 1 if any bit of the weights differs.
"""

import argparse
import io
import json
import os
import random
import re
import select
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import torch
from rich.console import Console
from rich.table import Table

from minigpt4 import cli
from minigpt4.checkpoints.writing import STAGING
from minigpt4.training.data.drawn import DrawnScenes

from .forking import fork


EPOCHS, STEPS, SAVE_STEPS = 3, 8, 2  # eight steps in each epoch
MOST_SECONDS = 0.05  # between the step that a kill waits for and the kill
LOGGED = re.compile(r"'loss': .*'epoch': '?([\d.]+)")
WEIGHTS = "adapter_model.safetensors"
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Case:
    """
    Args:
        name (`str`): unique.
        recipe (`str`): its name.
        settings (`dict`): override the recipe's.
        processes (`int`, *optional*, defaults to 1): more than one are started by `accelerate launch`, with gloo.
        by_steps (`bool`, *optional*, defaults to `False`): whether the run counts steps, as mixtures do, instead of epochs.
    """

    name: str
    recipe: str
    settings: dict
    processes: int = 1
    by_steps: bool = False

    def words(self, output: Path) -> list[str]:
        settings = {
            "model_name_or_path": "nano",
            "data": "scene-captions",
            "data_rows": 2 * STEPS * self.processes,
            "output_dir": output,
            "per_device_train_batch_size": 2,
            "gradient_accumulation_steps": 1,
            "gradient_checkpointing": "false",
            "learning_rate": 1e-3,
            "num_train_epochs": EPOCHS,
            "logging_steps": 1,
            "save_strategy": "steps",
            "save_steps": SAVE_STEPS,
            "disable_tqdm": "true",
            "use_cpu": "true",
            **self.settings,
        }
        return [
            "train",
            self.recipe,
            *(word for key, value in settings.items() for word in ("--set", f"{key}={value}")),
        ]


@dataclass
class Result:
    """The result of a case: kills in each epoch, how many of them left half a checkpoint, whether weights are equal."""

    case: str
    kills: list[int] = field(default_factory=lambda: [0] * EPOCHS)
    while_saving: int = 0
    equal: bool = False


def cases(folder: Path) -> list[Case]:
    features, shards = {"features": folder / "features"}, write_shards(folder / "shards")
    mixture = [{"name": shards, "ratio": 3}, {"name": "scene-captions", "rows": 8}]
    steps = {"data": json.dumps(mixture), "data_rows": None, "max_steps": EPOCHS * STEPS}
    return [
        Case("plain", "own-folder", {"gradient_accumulation_steps": 2, "data_rows": 4 * STEPS}),
        Case("LoRA", "lora", {}),
        Case("cached features", "own-folder", features),
        Case("shards and rows, two workers", "own-folder", {**steps, "dataloader_num_workers": 2}, by_steps=True),
        Case("two processes", "lora", {}, processes=2),
    ]


def write_shards(folder: Path) -> str:
    """Four tars of three drawn pictures each: three passes over them are as long as the epochs of the other cases."""
    folder.mkdir()
    rows = DrawnScenes("recipe shards", 12, detailed=False)
    for number in range(4):
        with tarfile.open(folder / f"{number}.tar", "w") as tar:
            for index in range(3 * number, 3 * number + 3):
                picture = io.BytesIO()
                rows[index]["image"].save(picture, "PNG")
                for ending, content in (("png", picture.getvalue()), ("txt", rows[index]["text"].encode())):
                    member = tarfile.TarInfo(f"{index}.{ending}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return f"{folder}/{{0..3}}.tar"


@contextmanager
def started(case: Case, output: Path, *more: str) -> Iterator[tuple[psutil.Process, int]]:
    """Start the command in a separate process; returns it with the read end of its output pipe."""
    read, write = os.pipe()
    words = [*case.words(output), *more]
    with (output.parent / f"{output.name}.log").open("ab") as log:
        if case.processes > 1:
            accelerate = [Path(sys.executable).with_name("accelerate"), "launch"]
            config = ["--config_file", ROOT / "training" / "accelerate" / "cpu.yaml", "--main_process_port", "0"]
            command = [*accelerate, *config, "-m", "minigpt4", *words]
            pid = subprocess.Popen(command, stdout=write, stderr=log, env=os.environ | {"PYTHONUNBUFFERED": "1"}).pid
        elif (pid := fork()) == 0:
            os.dup2(write, 1)
            os.dup2(log.fileno(), 2)
            sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
            os._exit(cli.run(words))
    os.close(write)
    try:
        yield psutil.Process(pid), read
    finally:
        os.close(read)


def steps_seen(case: Case, read: int) -> Iterator[int | None]:
    """The last logged step, polled until the run ends."""
    text, step = "", None
    while True:
        if select.select([read], [], [], 0.0005)[0]:
            if not (chunk := os.read(read, 2**16)):
                return
            text += chunk.decode()
            for epoch in LOGGED.findall(text):
                step = round(float(epoch) * STEPS * (EPOCHS if case.by_steps else 1))
            text = text.rpartition("\n")[2]
        yield step


def finish(case: Case, output: Path, *more: str) -> None:
    with started(case, output, *more) as (process, read):
        for _ in steps_seen(case, read):
            pass
        _refuse_failure(case, process, output)


def _refuse_failure(case: Case, process: psutil.Process, output: Path) -> None:
    if code := process.wait():
        sys.exit(f"{case.name} ended with {code}:\n{Path(f'{output}.log').read_text(encoding='utf-8')[-2000:]}")


def kill(case: Case, output: Path, *more: str, step: int, rng: random.Random) -> int | None:
    """Run until `step` is logged, then kill. Returns the last logged step, or `None` if the run finished first."""
    with started(case, output, *more) as (process, read):
        for seen in steps_seen(case, read):
            if seen is not None and seen >= step:
                break
        else:
            _refuse_failure(case, process, output)
            return None
        time.sleep(rng.uniform(0, MOST_SECONDS))
        all_of_it = [process, *process.children(recursive=True)]
        for each in all_of_it:
            each.kill()
        psutil.wait_procs(all_of_it)
        for last in steps_seen(case, read):
            seen = last or seen
        return seen


def resume(output: Path) -> list[str]:
    if any(output.glob("checkpoint-*")):
        return ["--resume"]
    shutil.rmtree(output, ignore_errors=True)  # there is nothing to resume from yet
    return []


def measure(case: Case, folder: Path, kills: int, seed: int) -> Result:
    rng, result = random.Random(f"{seed} {case.name}"), Result(case.name)
    whole, killed = folder / f"{case.name}, whole", folder / f"{case.name}, killed"
    if "features" in case.settings:
        cli.run(["cache-features", *case.words(whole)[1:]])
    finish(case, whole)
    length = (EPOCHS * STEPS - 2) / kills  # evenly spread, with a random offset
    for number in range(kills):
        step = 1 + int((number + rng.random()) * length)
        if number % 2:
            step += step % SAVE_STEPS  # which is saved as soon as it is logged
        while (seen := kill(case, killed, *resume(killed), step=step, rng=rng)) is None:
            for checkpoint in killed.glob("checkpoint-*"):  # too late: again, from before that step
                if int(checkpoint.name.partition("-")[2]) >= step:
                    shutil.rmtree(checkpoint)
        result.kills[min(seen // STEPS, EPOCHS - 1)] += 1
        result.while_saving += (killed / STAGING).exists()
    finish(case, killed, *resume(killed))
    result.equal = (whole / WEIGHTS).read_bytes() == (killed / WEIGHTS).read_bytes()
    return result


def as_table(results: list[Result]) -> Table:
    table = Table("case", "kills", *(f"epoch {number + 1}" for number in range(EPOCHS)), "while saving", "weights")
    for result in results:
        counts = [sum(result.kills), *result.kills, result.while_saving]
        table.add_row(result.case, *map(str, counts), "equal" if result.equal else "DIFFERENT")
    return table


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills")
    parser.add_argument("--kills", type=int, default=10, help="for each case (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only cases with one of these in their names")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder)):
            if not options.words or any(word in case.name for word in options.words):
                results.append(measure(case, Path(folder), options.kills, options.seed))
                print(json.dumps(vars(results[-1])), flush=True)
    Console(stderr=True, width=120).print(as_table(results))
    return int(not all(result.equal for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
