"""Runs of recipes in processes of their own, which can be killed. Called by tests: `python separate_runs.py JOBS`.

JOBS is a JSON list. A job has the name of a `recipe` and `overrides` for it, and may say `resume`, a number of
`processes`, `kill_in_step` or `kill_in_save` (a step in which, or in whose checkpoint, every process kills itself), and
`log`, a file that gets one JSON line for each step of the first process: losses, learning rates, and of all processes
their rows and the text of their batches. A job that is a string is a command of the shell, for between two runs.
Prints how the processes of each job ended.
"""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

from accelerate.utils import gather_object

import minigpt4  # noqa: F401
from benchmarks.forking import run_ranks
from minigpt4.training import read_recipe, run


class WatchedTrainer(run.StageTrainer):
    """A `StageTrainer` that writes down what it does, and can die of it."""

    job: dict

    def training_step(self, model, inputs, num_items_in_batch=None):
        loss = super().training_step(model, inputs, num_items_in_batch)
        self.seen = gather_object(inputs["drawn"].sources if "drawn" in inputs else inputs["rows"].tolist())
        self.texts = gather_object([self.processing_class.tokenizer.decode(inputs["input_ids"].flatten())])
        if self.job.get("kill_in_step") == self.state.global_step + 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return loss

    def log(self, logs, start_time=None):
        super().log(logs, start_time)
        if "loss" in logs and self.is_world_process_zero() and self.job.get("log"):
            line = {"step": self.state.global_step, "rows": self.seen, "texts": self.texts}
            line |= {name: logs[name] for name in ("loss", "learning_rate", "grad_norm")}
            with Path(self.job["log"]).open("a") as file:
                file.write(json.dumps(line) + "\n")

    def _save_rng_state(self, output_dir):
        # The weights are written already, and what comes after them is not.
        if self.job.get("kill_in_save") == self.state.global_step:
            self.accelerator.wait_for_everyone()
            os.kill(os.getpid(), signal.SIGKILL)
        super()._save_rng_state(output_dir)


def train(job: dict) -> None:
    WatchedTrainer.job = job
    run.StageTrainer = WatchedTrainer
    run.run(read_recipe(job["recipe"], **job["overrides"]), resume=job.get("resume", False))


def main() -> None:
    endings = []
    for job in json.loads(sys.argv[1]):
        if isinstance(job, str):
            subprocess.run(job, shell=True, check=True)
            continue
        endings.append(run_ranks(partial(train, job), job.get("processes", 1)))
    print(json.dumps(endings))


if __name__ == "__main__":
    main()
