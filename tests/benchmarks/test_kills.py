"""The sweep of kills, on one of its cases."""

import json
import os
import subprocess
import sys

from helpers import ROOT


def test_a_run_that_is_killed_and_goes_on():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kills", "--kills", "1", "LoRA"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    [line] = map(json.loads, done.stdout.splitlines())
    assert sum(line["kills"]) == 1
    assert line["equal"]
