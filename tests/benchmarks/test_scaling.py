"""Commands in one process and in two are measured on work that is really done, and is the same."""

import json

from helpers import ROOT

from benchmarks import scaling


def test_both_do_the_work(fresh):
    done = fresh(ROOT / "tests/helpers/separate_scaling.py")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {command.name: [2, True, False] for command in scaling.COMMANDS}
