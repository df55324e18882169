"""OK-VQA in processes of their own, which can be killed. Called by tests: `python separate_evaluations.py CALL`.

CALL is JSON: `model`, `data`, and `jobs`, each with an `output` and perhaps `kill_after`: after so many batches and half a line every
process kills itself. Each job has two processes. Prints how many whole lines each process of a killed job has written, and how the
processes of all jobs ended.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path

import torch
from separate_runs import free_port

from minigpt4.checkpoints.loading import load_any
from minigpt4.evaluation.running import answers, run_task
from minigpt4.evaluation.tasks import find_tasks
from minigpt4.inference.asking import Asker


PROCESSES = 2


def start(call: dict, job: dict, rank: int, port: int) -> int:
    if pid := os.fork():
        return pid
    status = 1
    try:
        torch.set_num_threads(1)
        names = {
            "RANK": rank,
            "LOCAL_RANK": rank,
            "WORLD_SIZE": PROCESSES,
            "LOCAL_WORLD_SIZE": PROCESSES,
        }
        os.environ.update({name: str(value) for name, value in names.items()})
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), ACCELERATE_USE_CPU="true")
        if "kill_after" in job:
            kill_after(job["kill_after"])
        [task] = find_tasks("okvqa")
        asker = Asker(*load_any(call["model"]))
        run_task(task, asker, call["data"], model="tiny", output=Path(job["output"]), batch_size=1)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


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
        port = free_port()
        pids = [start(call, job, rank, port) for rank in range(PROCESSES)]
        endings.append([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids])
        if "kill_after" in job:
            files = sorted(Path(job["output"]).glob("okvqa.answers-*.jsonl"))
            print(json.dumps([file.read_bytes().count(b"\n") for file in files]))
    print(json.dumps(endings))


if __name__ == "__main__":
    main()
