"""How cost grows is measured on work that is really done."""

import json
import math

import pytest

from benchmarks import growth, models
from benchmarks.lines import draw_lines


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_exponents(power):
    sizes = [10, 100, 1000]
    assert math.isclose(growth.exponent(sizes, [3 * size**power for size in sizes]), power, abs_tol=1e-9)


@pytest.mark.parametrize("each", growth.GROWTHS, ids=lambda each: each.unit)
def test_the_work_is_done(each, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")  # as it was before, afterwards
    small = {"vocab_size": 1000, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    monkeypatch.setattr(models, "TEXT", models.TEXT | small)
    each.prepare(tmp_path, each.warm)
    each.work(tmp_path, each.warm)()


def test_what_is_known_is_not_measured_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(growth, "measured", lambda growth, size: pytest.fail(f"measures {growth.name} at {size}"))
    names = [each.name for each in growth.GROWTHS]
    costs = {"seconds": 1, "cpu_seconds": 1, "mib": 1, "disk_mib": 1}
    lines = [{"work": each.name, "size": size, **costs} for each in growth.GROWTHS for size in each.sizes]
    (tmp_path / "known").write_text("\n".join(map(json.dumps, lines)))
    growth.main(["--known", str(tmp_path / "known")])
    printed = capsys.readouterr().out
    assert all(f"| {name} |" in printed for name in names)


def test_table_and_plot(tmp_path):
    cost = {"mib": 1.0, "disk_mib": 2.0}
    by_size = {10: {"cpu_seconds": 0.1, **cost}, 100: {"cpu_seconds": 1.0, **cost}, 1000: {}}
    *_, measured, left_out = growth.table({"reading": ("rows", by_size)}).splitlines()
    assert measured == "| reading | 100 rows | 1 | 1 | 2 | 1.00 | 0.00 |"
    assert left_out == "| reading | 1,000 rows | not measured | | | | |"
    draw_lines({"reading": [(10, 0.1), (100, 1.0)]}, "seconds", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
