"""Workers end with their launcher, even if it is killed, and cleanly when they are done."""

import json
import subprocess
import sys
from pathlib import Path

from helpers import ROOT
from PIL import Image


WORKER = """
import sys
from pathlib import Path
from minigpt4.__main__ import main
code = main()
names = [file.read_text() for file in Path("/proc/self/task").glob("*/comm")]
sys.stdout.write(str([name for name in names if "gloo" in name]) + "\\n")
sys.exit(code)
"""


def test_a_worker_ends_when_its_launcher_is_killed(fresh):
    done = fresh(ROOT / "tests/helpers/separate_workers.py")
    assert done.returncode == 0, done.stderr
    assert "nowhere.png: no such file" in done.stderr  # it has begun, and waits for the other one
    assert "unexpected" not in done.stderr  # nor did it end with an error


def test_nothing_of_the_process_group_is_left_at_the_end(tiny_checkpoint, tmp_path, monkeypatch):
    """Threads that are left abort a worker while it ends, about once in five times."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER)
    pictures = [tmp_path / f"{number}.png" for number in range(2)]
    for picture in pictures:
        Image.new("RGB", (28, 28)).save(picture)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", worker]
    options = ["--model", tiny_checkpoint, "--json", "--batch-size", "1", "--max-new-tokens", "1"]
    done = subprocess.run([*launch, "describe", *pictures, *options], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *answers, one, two = sorted(map(json.loads, done.stdout.splitlines()), key=str, reverse=True)
    assert [sorted(Path(each["image"]).stem for each in answers), one, two] == [["0", "1"], [], []]
