"""Tasks over synthetic copies of the published files: asked, scored, killed, continued, in one and two processes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from helpers import ROOT
from helpers.evaluation_sets import ROWS, write_okvqa, write_sets

from minigpt4.checkpoints.loading import load_any
from minigpt4.evaluation.running import read_results, run_task
from minigpt4.evaluation.running.collecting import cut_as_published
from minigpt4.evaluation.tasks import find_tasks
from minigpt4.inference.asking import Asker


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    return write_sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def asker(tiny_checkpoint):
    return Asker(*load_any(tiny_checkpoint))


@pytest.fixture(scope="module")
def whole(asker, sets):
    """OK-VQA, in one go."""
    [task] = find_tasks("okvqa")
    return run_task(task, asker, sets, model="tiny")


def test_scores_are_of_the_answers(asker, sets, whole, tmp_path):
    """People who say what the model says: 100 for eight of them, 30 for one."""
    said = {int(sample["id"]) - 1000: sample["answer"] for sample in whole.samples}
    assert whole.n == whole.of == ROWS
    assert len(set(said.values())) > 1
    (tmp_path / "coco").symlink_to(sets / "coco")
    others = ["no such answer"] * 9
    write_okvqa(tmp_path, {n: [said[n]] * 10 if n % 2 else [said[n], *others] for n in range(ROWS)})
    [task] = find_tasks("okvqa")
    result = run_task(task, asker, tmp_path, model="tiny")
    assert result.value == pytest.approx(65.0)
    low, high = result.interval
    assert low < 65 < high


def test_batches_do_not_change_answers(asker, sets, whole):
    [task] = find_tasks("okvqa")
    alone = run_task(task, asker, sets, model="tiny", batch_size=1)
    assert [row["answer"] for row in alone.samples] == [row["answer"] for row in whole.samples]


def test_each_picture_is_looked_at_once(asker, sets, monkeypatch):
    looks = []
    look = asker._look
    monkeypatch.setattr(asker, "_look", lambda pixels: looks.append(len(pixels)) or look(pixels))
    [task] = find_tasks("okvqa")
    run_task(task, asker, sets, model="tiny", batch_size=2)
    assert sum(looks) == 3


def test_what_fails_is_counted_and_asked_again(asker, sets, whole, tmp_path):
    data, output = tmp_path / "data", tmp_path / "output"
    write_sets(data)
    picture = data / "coco" / "images" / "COCO_val2014_000000000001.jpg"
    kept = picture.read_bytes()
    picture.write_bytes(kept[:200])
    [task] = find_tasks("okvqa")
    broken = run_task(task, asker, data, model="tiny", output=output)
    assert (broken.n, broken.failed) == (ROWS, 2)
    assert ["damaged or cut short" in row.get("error", "") for row in broken.samples] == [False, True, False] * 2
    picture.write_bytes(kept)
    mended = run_task(task, asker, data, model="tiny", output=output)
    assert mended.failed == 0
    assert [row["answer"] for row in mended.samples] == [row["answer"] for row in whole.samples]


def test_answers_of_other_settings_are_not_continued(asker, sets, tmp_path):
    [task] = find_tasks("okvqa")
    run_task(task, asker, sets, model="tiny", output=tmp_path)
    with pytest.raises(ValueError, match=r"has answers of another run \(model 'tiny', not 'other'\): remove it"):
        run_task(task, asker, sets, model="other", output=tmp_path)


def test_a_part_is_a_part(asker, sets, whole, tmp_path):
    """And the rest of it follows: nothing is asked twice."""
    [task] = find_tasks("okvqa")
    part = run_task(task, asker, sets, model="tiny", output=tmp_path, limit=2)
    assert (part.n, part.of, part.partial) == (2, ROWS, True)
    full = run_task(task, asker, sets, model="tiny", output=tmp_path)
    assert not full.partial
    assert full.samples == whole.samples
    assert len((tmp_path / "okvqa.answers-0.jsonl").read_text().splitlines()) == 1 + ROWS


def test_killed_and_continued_in_two_processes(fresh, tiny_checkpoint, sets, whole, tmp_path):
    """Killed within a line, and continued."""
    jobs = [{"output": str(tmp_path), "kill_after": 1}, {"output": str(tmp_path)}]
    call = {"model": str(tiny_checkpoint), "data": str(sets), "jobs": jobs}
    done = fresh(ROOT / "tests/helpers/separate_evaluations.py", json.dumps(call))
    assert done.returncode == 0, done.stderr
    *_, killed, endings = done.stdout.splitlines()
    assert json.loads(endings) == [[-9, -9], [0, 0]]
    assert json.loads(killed) == [2, 2]  # lines of each process: its settings and an answer; its second one is half
    [result] = read_results(tmp_path)
    assert (result.value, result.interval, result.samples) == (whole.value, whole.interval, whole.samples)


def test_launched_killed_and_continued_through_the_command_line(command, tiny_checkpoint, sets, tmp_path):
    """As a user does it: `accelerate launch` with two processes, all killed while they answer, and once more."""
    config = ROOT / "training" / "accelerate" / "cpu.yaml"
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config)]
    launch += ["--main_process_port", "0", "-m", "minigpt4"]  # any free one
    call = ["evaluate", "okvqa", "failure", "--model", str(tiny_checkpoint), "--data", str(sets), "--batch-size", "1"]
    two = [*launch, *call, "--output", str(tmp_path / "two")]
    first = subprocess.Popen(two, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    begun = [tmp_path / "two" / f"okvqa.answers-{process}.jsonl" for process in range(2)]
    while first.poll() is None and not all(file.is_file() and file.read_bytes().count(b"\n") > 1 for file in begun):
        time.sleep(0.01)
    assert first.poll() is None
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert not (tmp_path / "two" / "failure-poem.json").exists()
    done = subprocess.run(two, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    one = command(*call, "--output", tmp_path / "one")
    assert one.code == 0, one.err
    for ours, theirs in zip(read_results(tmp_path / "one"), read_results(tmp_path / "two"), strict=True):
        assert (theirs.value, theirs.interval, theirs.samples) == (ours.value, ours.interval, ours.samples)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("cat</s>dog", "cat"),
        ("<s> [INST] what [/INST] a ###cat </s>", "a ###cat"),
        ("Assistant: cat", "Assistant: cat"),
        ("", ""),
    ],
)
def test_the_published_end_of_an_answer(text, cut):
    assert cut_as_published(text) == cut
