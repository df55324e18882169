"""A run that is killed and goes on is the run that was never stopped, bit by bit; and so are two processes."""

import json
import random
import shlex
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import datasets
import pytest
from helpers import ROOT
from PIL import Image
from safetensors.torch import load_file
from transformers.trainer_utils import get_last_checkpoint

from minigpt4.training import read_recipe
from minigpt4.training.data.features import cache_features
from minigpt4.training.run import run


KILLED = -signal.SIGKILL
SCRIPT = ROOT / "tests/helpers/separate_runs.py"


@pytest.fixture
def separate_runs(fresh):
    def start(*jobs: dict) -> list[list[int]]:
        done = fresh(SCRIPT, json.dumps(jobs))
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
            "max_steps": 12,
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


def drawn_anew(job: dict, steps_of_an_epoch: int) -> bool:
    """Whether each process has in each epoch the rows in another order, and the prompts that are drawn for the epoch."""
    recipe = read_recipe(job["recipe"], **job["overrides"])
    size, orders = recipe.args.per_device_train_batch_size, [[], [], []]
    for step, line in steps(job).items():
        epoch = (step - 1) // steps_of_an_epoch
        orders[epoch] += line["rows"]
        for first, text in zip(line["rows"][::size], line["texts"], strict=True):
            prompt = random.Random(f"{recipe.args.seed} {epoch} {first}").choice(recipe.sequence.prompts)
            if prompt.partition("</Img>")[2] not in text:
                return False
    return (
        all(sorted(order) == list(range(8)) for order in orders) and orders[0] != orders[1] != orders[2] != orders[0]
    )


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
        {**again, "kill_in_step": 8},  # from step 4
        {**again, "kill_in_step": 11},  # from step 6, in the middle of the second epoch
        again,  # from step 10, in the middle of the third
    )
    assert endings == [[0], [KILLED], [0], *[[KILLED]] * 5, [0]]
    assert len(steps(whole)) == 12
    assert drawn_anew(whole, steps_of_an_epoch=4)
    assert steps(killed) == steps(whole)
    assert weights(killed) == weights(whole)
    assert sorted(path.name for path in (tmp_path / "early").glob("*checkpoint*")) == ["checkpoint-2"]
    assert not (tmp_path / "killed" / ".saving").exists()


def test_two_processes_killed(separate_runs, job):
    saved = {"overrides": {"max_steps": 6, "save_steps": 1}, "processes": 2}
    whole, killed = job("whole", **saved), job("killed", **saved)
    again = {**killed, "resume": True}
    # In the middle of the second epoch and of the third.
    endings = separate_runs(whole, {**killed, "kill_in_step": 4}, {**again, "kill_in_step": 6}, again)
    assert endings == [[0, 0], [KILLED, KILLED], [KILLED, KILLED], [0, 0]]
    assert drawn_anew(whole, steps_of_an_epoch=2)
    assert steps(killed) == steps(whole)
    assert weights(killed) == weights(whole)


def test_killed_on_cached_features_read_by_workers_that_stay(separate_runs, job, tmp_path):
    settings = {
        "features": str(tmp_path / "features"),
        "save_steps": 1,
        "dataloader_num_workers": 1,
        "dataloader_persistent_workers": True,
    }
    whole, killed = (job(name, recipe="own-folder", overrides=settings) for name in ("whole", "killed"))
    cache_features(read_recipe("own-folder", **whole["overrides"]))
    again = {**killed, "resume": True}
    endings = separate_runs(whole, {**killed, "kill_in_step": 7}, {**again, "kill_in_step": 11}, again)
    assert endings == [[0], [KILLED], [KILLED], [0]]
    assert drawn_anew(whole, steps_of_an_epoch=4)
    assert steps(killed) == steps(whole)
    assert weights(killed) == weights(whole)


def test_killed_runs_on_shards_go_on_with_the_next_sample(separate_runs, job, write_shards, write_tar, own_folder):
    """Two sets by ratio, one of them damaged here and there; by workers, and by two processes."""
    shards = write_shards("shards", shards=4)
    write_tar("shards/00001.tar", [("1-0.jpg", b"no image"), ("1-0.txt", b"a"), ("1-1.txt", b"no image at all")])
    data = [{"name": shards, "ratio": 3}, {"name": str(own_folder), "ratio": 1}]
    settings = {"data": data, "max_steps": 7, "max_broken": 0.1, "shuffle_buffer": 4, "save_steps": 3}
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


@pytest.mark.parametrize("recipe_name", ["lora", "own-folder"])
@pytest.mark.parametrize("length", [{"max_steps": 3}, {"max_steps": -1, "num_train_epochs": 1}])
def test_a_run_that_is_finished_changes_nothing(job, capsys, recipe_name, length):
    finished = job("finished", recipe=recipe_name, overrides={**length, "save_steps": 1})
    go_on = partial(run, resume=True)
    output = run(read_recipe(recipe_name, **finished["overrides"]))
    before = {file: file.read_bytes() for file in output.rglob("*.safetensors")}
    capsys.readouterr()
    go_on(read_recipe(recipe_name, **finished["overrides"]))
    assert {file: file.read_bytes() for file in output.rglob("*.safetensors")} == before
    last = Path(get_last_checkpoint(str(output))).name
    assert f"This run is finished: {last} is of step" in capsys.readouterr().err
    (output / "adapter_model.safetensors").unlink()  # it was killed before it had written this
    go_on(read_recipe(recipe_name, **finished["overrides"]))
    go_on(read_recipe(recipe_name, **{**finished["overrides"], "max_steps": 2}))  # less than it has done
    assert {file: file.read_bytes() for file in output.rglob("*.safetensors")} == before


def test_a_full_disk_says_so_and_costs_no_checkpoint(job, tmp_path):
    """Two disks: on one a file of PyTorch is the first that does not fit, on the other one of safetensors."""
    settings = {"max_steps": 3, "save_steps": 1}
    whole = job("whole", overrides=settings)
    checkpoint = run(read_recipe("lora", **whole["overrides"])) / "checkpoint-1"
    size = sum(file.stat().st_size // 4096 * 4096 + 4096 for file in checkpoint.iterdir())  # in pages
    disks = {tmp_path / name: int(size * fits) for name, fits in (("small", 1.5), ("larger", 3.1))}
    jobs = [job("full", overrides={**settings, "output_dir": str(disk / "run")}) for disk in disks]
    mounts = [f"mkdir {disk} && mount -t tmpfs -o size={size} tmpfs {disk}" for disk, size in disks.items()]
    jobs += [f"ls -x -w 0 -A {disk}/run && mount -o remount,size=64m {disk}" for disk in disks]
    jobs += [{**full, "resume": True} for full in jobs[:2]]
    jobs += [f"cmp {disk}/run/adapter_model.safetensors {tmp_path}/whole/adapter_model.safetensors" for disk in disks]
    runs = shlex.join(["env", f"PYTHONPATH={ROOT}", sys.executable, str(SCRIPT), json.dumps(jobs)])
    script = f"{{ {' && '.join(mounts)}; }} || exit 77; {runs}"
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]  # nobody else sees these disks
    done = subprocess.run(alone, capture_output=True, text=True)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("A disk of a given size cannot be mounted here.")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [[1], [1], [0], [0]], done.stderr
    left = [line for line in done.stdout.splitlines() if line.startswith("checkpoint")]
    kept = [f"checkpoint-{number}" for number in (1, 2, 3)]
    assert [line.split() for line in left] == [kept[:1], kept]
    for disk, what in zip(disks, ("checkpoint-2", "The model"), strict=True):
        assert (
            f"OSError: {what} could not be written to {disk}/run, as the disk is full: the checkpoints before it are "
            "complete. Free some space, and continue with --resume."
        ) in done.stderr


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
