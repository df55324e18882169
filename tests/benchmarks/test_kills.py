"""The sweep of kills, on one of its cases."""

import json

from helpers import ROOT


def test_a_run_that_is_killed_and_goes_on(fresh):
    program = "import runpy; runpy.run_module('benchmarks.kills', run_name='__main__', alter_sys=True)"
    done = fresh(program, "--kills", "1", "LoRA", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    [line] = map(json.loads, done.stdout.splitlines())
    assert sum(line["kills"]) == 1
    assert line["equal"]
