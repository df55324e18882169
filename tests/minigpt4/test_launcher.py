"""Workers end with their launcher, even if it is killed."""

from helpers import ROOT


def test_a_worker_ends_when_its_launcher_is_killed(fresh):
    done = fresh(ROOT / "tests/helpers/separate_workers.py")
    assert done.returncode == 0, done.stderr
    assert "nowhere.png: no such file" in done.stderr  # it has begun, and waits for the other one
    assert "unexpected" not in done.stderr  # nor did it end with an error
