"""That transformers' own suite is there, and is what was published."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from helpers import ROOT


def test_suite_is_there(sdist_error):
    if sdist_error:
        pytest.fail(sdist_error, pytrace=False)


def test_no_index(fetcher):
    with pytest.raises(fetcher.FetchError) as error:
        fetcher.fetch()
    assert "No matching distribution" in str(error.value)
    assert "fetch.py" in str(error.value)
    assert "\n" not in str(error.value)
    assert list(fetcher.CACHE.iterdir()) == []


def test_other_content_is_refused(fetcher, tmp_path, monkeypatch):
    release = version("transformers")
    monkeypatch.setitem(fetcher.SHA256, release, fetcher.SHA256.get(release, "0" * 64))
    (tmp_path / "packages" / f"transformers-{release}.tar.gz").write_bytes(b"something else")
    with pytest.raises(fetcher.FetchError, match="DO NOT MATCH THE HASHES"):
        fetcher.fetch()
    assert list(fetcher.CACHE.iterdir()) == []


def test_counts_are_printed_when_tests_run_in_another_process():
    command = [sys.executable, "-m", "pytest", "-n", "1", "--dist", "loadfile", "-k", "suite_is_there", __file__]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert "1 passed · 0 failed · 0 error · 0 skipped  (ours" in run.stdout, run.stdout + run.stderr
