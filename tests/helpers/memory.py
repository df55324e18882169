"""What work on a large picture takes of memory, in a process that does nothing else."""

import pytest

from benchmarks.hostile import large
from helpers import ROOT


@pytest.fixture
def memory_of_large_pictures(fresh, tmp_path):
    """`(prepare, work)`: the megabytes that work on the file `picture` takes at most, and those that it keeps."""

    def measure(prepare: str, work: str) -> tuple[float, float]:
        (tmp_path / "large.png").write_bytes(large())
        code = (
            f"import sys, psutil\nfrom benchmarks.measuring import peak\n{prepare}\n"
            "picture, held = sys.argv[1], lambda: psutil.Process().memory_info().rss\n"
            f"before = held()\n{work}\nprint((peak() - before) / 1e6, (held() - before) / 1e6)"
        )
        done = fresh(code, tmp_path / "large.png", cwd=ROOT)
        assert done.returncode == 0, done.stderr
        peak, kept = map(float, done.stdout.split())
        return peak, kept

    return measure
