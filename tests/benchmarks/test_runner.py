"""The runner of `make bench`: what it measures is what happened, and what it prints is complete."""

import json
import time
from functools import partial

import pytest

from benchmarks import __main__ as runner
from benchmarks.case import Case, Figures
from benchmarks.measuring import interleave


def test_both_are_called_in_turn():
    calls = []
    seconds = interleave(lambda: calls.append("ours"), lambda: calls.append("peer"), repetitions=3)
    assert len(seconds) == 2
    assert sorted(calls[2:4]) == sorted(calls[4:6]) == ["ours", "peer"]
    assert calls.count("ours") == calls.count("peer") == 4


def test_the_slower_one_takes_longer():
    def work(seconds: float):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    ours, peer = interleave(partial(work, 0.01), partial(work, 0.1), repetitions=3)
    assert ours < peer


@pytest.fixture
def cases(monkeypatch):
    made = [
        Case("fast thing", "samples/s", 1.5, lambda: Figures(30.0, 10.0, limit=40.0, notes={"more": 1})),
        Case("large thing", "MiB", 0.6, lambda: Figures(70.0, 100.0, limit=77.0), less_is_better=True),
    ]
    monkeypatch.setattr(runner, "CASES", made)


def test_what_is_printed(cases, capsys):
    runner.main([])
    captured = capsys.readouterr()
    fast, large = map(json.loads, captured.out.splitlines())
    assert (fast["case"], fast["ratio"], fast["limit"], fast["reached"], fast["more"]) == (
        "fast thing",
        3,
        40,
        True,
        1,
    )
    assert (large["case"], large["ratio"], large["to_reach"], large["reached"]) == ("large thing", 0.7, 0.6, False)
    assert all(line["cores"] and line["date"] for line in (fast, large))
    assert (fast["of_limit"], large["of_limit"]) == (0.75, 1.1)
    assert "75%" in captured.err
    assert "110%: mistaken" in captured.err
    assert "≥ 1.5" in captured.err
    assert "≤ 0.6" in captured.err


def test_only_some_cases(cases, capsys):
    runner.main(["large"])
    assert len(capsys.readouterr().out.splitlines()) == 1
    with pytest.raises(SystemExit, match="No case has nothing in its name: fast thing, large thing"):
        runner.main(["nothing"])


def test_every_case_has_a_name_of_its_own():
    names = [case.name for case in runner.CASES]
    assert len(set(names)) == len(names)
