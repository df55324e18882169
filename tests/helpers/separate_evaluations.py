"""OK-VQA in processes of their own, which can be killed. Called by tests: `python separate_evaluations.py CALL`.

CALL is JSON: `model`, `data`, and `jobs`, each with an `output` and perhaps `kill_after`: after so many batches and half a line every
process kills itself. Each job has two processes. Prints how many whole lines each process of a killed job has written, and how the
processes of all jobs ended.
"""

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

from benchmarks.forking import run_ranks
from minigpt4.checkpoints.loading import load_any
from minigpt4.evaluation.running import answers, run_task
from minigpt4.evaluation.tasks import find_tasks
from minigpt4.inference.asking import Asker


def score(call: dict, job: dict) -> None:
    os.environ["ACCELERATE_USE_CPU"] = "true"
    if "kill_after" in job:
        kill_after(job["kill_after"])
    [task] = find_tasks("okvqa")
    run_task(
        task, Asker(*load_any(call["model"])), call["data"], model="tiny", output=Path(job["output"]), batch_size=1
    )


def kill_after(batches: int) -> None:
    append, done = answers.AnswerFiles.append, []

    def append_or_die(self, rows):
        append(self, rows)
        done.append(rows)
        if len(done) > batches:
            with self.file.open("ab") as file:
                file.truncate(file.tell() - 5)
            os.kill(os.getpid(), signal.SIGKILL)

    answers.AnswerFiles.append = append_or_die


def main() -> None:
    call = json.loads(sys.argv[1])
    endings = []
    for job in call["jobs"]:
        endings.append(run_ranks(partial(score, call, job), processes=2))
        if "kill_after" in job:
            files = sorted(Path(job["output"]).glob("okvqa.answers-*.jsonl"))
            print(json.dumps([file.read_bytes().count(b"\n") for file in files]))
    print(json.dumps(endings))


if __name__ == "__main__":
    main()
