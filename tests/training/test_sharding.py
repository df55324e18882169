"""FSDP2: processes that share the weights of a model train as one that has all of them."""

import json

import pytest
from helpers import ROOT


def test_two_processes_that_share_the_weights_have_the_losses_of_one(fresh, tiny_checkpoint):
    done = fresh(ROOT / "tests/helpers/separate_shards.py", str(tiny_checkpoint))
    assert done.returncode == 0, done.stderr
    one, two = json.loads(done.stdout.splitlines()[-1])
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-5)
    assert one["losses"][-1] < one["losses"][0]
    assert two["held"] < 0.51 * one["held"]
