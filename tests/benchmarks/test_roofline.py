"""The limit of a case: the least time that its work can take, at speeds that are measured."""

import pytest
import torch

from benchmarks.case import Figures
from benchmarks.roofline import Machine, Work, least_seconds, measured


def test_a_part_takes_as_long_as_what_it_does_most_of():
    machine = Machine(operations=100.0, bytes=10.0)
    assert least_seconds(Work(200), machine=machine) == 2
    assert least_seconds(Work(200, 50), machine=machine) == 5
    assert least_seconds(Work(200, 50), Work(300, 1), machine=machine) == 8


def test_this_machine_is_measured():
    threads = torch.get_num_threads()
    machine = measured()
    assert machine.operations > machine.bytes > 1e6  # the products reuse what they have read
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(("less_is_better", "share"), [(False, 0.25), (True, 4.0)])
def test_the_share_of_the_limit(less_is_better, share):
    assert Figures(10, 1, limit=40).of_limit(less_is_better) == share
    assert Figures(10, 1).of_limit(less_is_better) is None
