"""Commands in one process, and in several as by `accelerate launch`. Called by a test: `python separate_commands.py COMMANDS`.

COMMANDS is a JSON list: each has a number of `processes`, the `arguments` of minigpt4, and the file of its `output`, that of all processes.
Prints how the processes of each command ended.
"""

import json
import os
import sys
from functools import partial

from benchmarks.forking import run_ranks
from minigpt4.cli import run


def command(arguments: list[str], output: str) -> None:
    os.environ["ACCELERATE_USE_CPU"] = "true"
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND), sys.stdout.fileno())
    code = run(arguments)
    sys.stdout.flush()
    if code:
        raise SystemExit(code)


def main() -> None:
    endings = []
    for each in json.loads(sys.argv[1]):
        endings.append(run_ranks(partial(command, each["arguments"], each["output"]), each["processes"]))
    print(json.dumps(endings))


if __name__ == "__main__":
    main()
