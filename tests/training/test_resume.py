"""A run that is killed and goes on is the run that was never stopped, bit by bit; and so are two processes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import datasets
import pytest
from PIL import Image
from safetensors.torch import load_file


KILLED = -signal.SIGKILL


@pytest.fixture
def separate_runs():
    def start(*jobs: dict) -> list[list[int]]:
        script = Path(__file__).with_name("separate_runs.py")
        done = subprocess.run([sys.executable, script, json.dumps(jobs)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        start.said = done.stderr
        endings = json.loads(done.stdout.splitlines()[-1])
        assert all(code in (0, KILLED) for codes in endings for code in codes), done.stderr
        return endings

    return start


@pytest.fixture
def job(tiny_checkpoint, own_folder, tmp_path):
    """LoRA with its dropout, four prompts, and epochs of four steps: everything that is drawn at random."""

    def make(name: str, **kwargs) -> dict:
        overrides = {
            "model_name_or_path": str(tiny_checkpoint),
            "data": str(own_folder),
            "output_dir": str(tmp_path / name),
            "max_steps": 7,
            "per_device_train_batch_size": 2,
            "gradient_accumulation_steps": 1,
            "gradient_checkpointing": False,
            "learning_rate": 1e-2,
            "logging_steps": 1,
            "save_strategy": "steps",
            "save_steps": 2,
            "disable_tqdm": True,
            "use_cpu": True,
        }
        job = {"recipe": "lora", "log": str(tmp_path / f"{name}.log"), **kwargs}
        return {**job, "overrides": {**overrides, **kwargs.get("overrides", {})}}

    return make


def steps(job: dict) -> dict[int, dict]:
    """What was logged of each step; steps that were done again must have been the same."""
    found: dict[int, dict] = {}
    for line in map(json.loads, Path(job["log"]).read_text().splitlines()):
        assert found.setdefault(line["step"], line) == line
    return found


def weights(job: dict) -> bytes:
    return (Path(job["overrides"]["output_dir"]) / "adapter_model.safetensors").read_bytes()


def test_killed_in_a_step_and_while_saving(separate_runs, job, tmp_path):
    whole, killed = job("whole"), job("killed")
    again = {**killed, "resume": True}
    early = job("early", overrides={"max_steps": 2})
    endings = separate_runs(
        whole,
        {**early, "kill_in_save": 2},  # has no checkpoint to go on from,
        early,  # and so begins again
        {**killed, "kill_in_step": 4},  # goes on from step 2
        {**again, "kill_in_step": 5},  # from step 4, at the end of the first epoch
        {**again, "kill_in_save": 6},  # from step 4, and leaves half a checkpoint
        again,
    )
    assert endings == [[0], [KILLED], [0], [KILLED], [KILLED], [KILLED], [0]]
    assert len(steps(whole)) == 7
    assert steps(killed) == steps(whole)
    assert weights(killed) == weights(whole)
    assert sorted(path.name for path in (tmp_path / "early").glob("*checkpoint*")) == ["checkpoint-2"]
    assert not (tmp_path / "killed" / ".saving").exists()


def test_two_processes_killed(separate_runs, job):
    fewer = {"overrides": {"max_steps": 3, "save_steps": 1}, "processes": 2}
    whole, killed = job("whole", **fewer), job("killed", **fewer)
    endings = separate_runs(whole, {**killed, "kill_in_step": 3}, {**killed, "resume": True})
    assert endings == [[0, 0], [KILLED, KILLED], [0, 0]]
    assert {len(set(line["rows"])) for line in steps(whole).values()} == {4}
    assert steps(killed) == steps(whole)
    assert weights(killed) == weights(whole)


def test_killed_runs_on_shards_go_on_with_the_next_sample(separate_runs, job, write_shards, write_tar, own_folder):
    """Two sets by ratio, one of them damaged here and there; by workers, and by two processes."""
    shards = write_shards("shards", shards=4)
    write_tar("shards/00001.tar", [("1-0.jpg", b"no image"), ("1-0.txt", b"a"), ("1-1.txt", b"no image at all")])
    data = [{"name": shards, "ratio": 3}, {"name": str(own_folder), "ratio": 1}]
    settings = {"data": data, "max_broken": 0.1, "shuffle_buffer": 4, "save_steps": 3}
    workers = {"overrides": {**settings, "dataloader_num_workers": 2, "gradient_accumulation_steps": 2}}
    two = {"overrides": settings, "processes": 2}
    jobs = []
    for name, kwargs, kill in (("workers", workers, {"kill_in_step": 5}), ("two", two, {"kill_in_save": 6})):
        killed = job(f"killed-{name}", **kwargs)
        jobs += [job(f"whole-{name}", **kwargs), {**killed, **kill}, {**killed, "resume": True}]  # from step 3
    endings = [set(codes) for codes in separate_runs(*jobs)]
    assert endings == [{0}, {KILLED}, {0}] * 2
    for whole, killed in (jobs[:2], jobs[3:5]):
        assert len(steps(whole)) == 7
        assert steps(killed) == steps(whole)  # the sources of all samples, and losses to the last bit
        assert weights(killed) == weights(whole)
    # Each run that came to its end has a table, of both processes, and of what came before it was killed.
    cells = [line.split("│") for line in separate_runs.said.splitlines() if line.count("%") == 2]
    batches = [int(cell[4]) for cell in cells]
    assert [sum(table) for table in zip(batches[::2], batches[1::2], strict=True)] == [14] * 4


def test_two_processes_are_one_with_the_same_global_batch(separate_runs, job, tmp_path):
    """On rows with no image, one and two, of which a process may get none at all."""
    red = Image.new("RGB", (28, 28), "red")
    chat = [{"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "A cat."}]
    rows = [{"images": [red] * (index % 3), "messages": chat[: 2 + index % 1]} for index in range(8)]
    message = {"role": datasets.Value("string"), "content": datasets.Value("string")}
    features = {"images": datasets.List(datasets.Image()), "messages": datasets.List(message)}
    data = datasets.Dataset.from_list(rows, features=datasets.Features(features))
    data.save_to_disk(tmp_path / "mixed")
    settings = {"data": str(tmp_path / "mixed"), "max_steps": 4, "save_strategy": "no", "bf16": False}
    one = job("one", recipe="own-folder", overrides={**settings, "per_device_train_batch_size": 2})
    two = job("two", recipe="own-folder", overrides={**settings, "per_device_train_batch_size": 1}, processes=2)
    assert separate_runs(one, two) == [[0], [0, 0]]
    for step, line in steps(one).items():
        other = steps(two)[step]
        assert sorted(line["rows"]) == sorted(other["rows"])
        assert line["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert line["learning_rate"] == other["learning_rate"]
        assert line["grad_norm"] == pytest.approx(other["grad_norm"], rel=1e-3)
    first, second = (
        load_file(Path(job["overrides"]["output_dir"]) / "adapter_model.safetensors") for job in (one, two)
    )
    for name, tensor in first.items():
        assert tensor.allclose(second[name], atol=1e-5), name
