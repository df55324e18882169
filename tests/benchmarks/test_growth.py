"""How cost grows is measured on work that is really done."""

import math

import pytest

from benchmarks import growth
from benchmarks.lines import draw_lines


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_exponents(power):
    sizes = [10, 100, 1000]
    assert math.isclose(growth.exponent(sizes, [3 * size**power for size in sizes]), power, abs_tol=1e-9)


@pytest.mark.parametrize("each", growth.GROWTHS, ids=lambda each: each.unit)
def test_the_work_is_done(each, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")  # as it was before, afterwards
    each.prepare(tmp_path, 100)
    each.work(tmp_path, 100)


def test_table_and_plot(tmp_path):
    by_size = {10: {"cpu_seconds": 0.1, "mib": 1.0}, 100: {"cpu_seconds": 1.0, "mib": 1.0}}
    table = growth.table({"reading": ("rows", by_size)})
    assert table.splitlines()[-1] == "| reading | 100 rows | 1 | 1 | 1.00 | 0.00 |"
    draw_lines({"reading": [(10, 0.1), (100, 1.0)]}, "seconds", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
