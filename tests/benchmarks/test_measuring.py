"""Peak memory is that of the work, in a process that imports little."""

from functools import partial

import pytest

from benchmarks.measuring import peak_memory


MIB = 2**20


def _allocate(mebibytes: int):
    return lambda: bytearray(mebibytes * MIB)


def test_less_what_python_takes_and_whatever_was_measured_before():
    large, small = (peak_memory(partial(_allocate, size)) / MIB for size in (300, 60))
    assert large - small == pytest.approx(240, abs=20)


def test_work_that_fails_is_not_measured():
    with pytest.raises(RuntimeError, match=r"_allocate.* ended with exit code 1"):
        peak_memory(partial(_allocate, -1))
