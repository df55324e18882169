"""The first two stages of MiniGPT-v2 on their sets, at ratios of ours."""

from collections import Counter

import pytest
from PIL import Image

from minigpt4.cli import run
from minigpt4.training import read_recipe
from minigpt4.training.data.sets import SETS, SHARD_SETS


WEAK = set(SHARD_SETS)


def by_task(name: str) -> Counter:
    tasks: Counter = Counter()
    for entry in read_recipe(name, bf16=False).data.data:
        tasks[{**SETS, **SHARD_SETS}[entry["name"]].task] += entry["ratio"]
    return tasks


def names(recipe: str) -> set[str]:
    return {entry["name"] for entry in read_recipe(recipe, bf16=False).data.data}


def test_weak_sets_are_drawn_most_in_stage_1_and_never_later():
    ratios = {entry["name"]: entry["ratio"] for entry in read_recipe("v2-stage1", bf16=False).data.data}
    assert sum(ratios[name] for name in WEAK) == 2 * sum(ratio for name, ratio in ratios.items() if name not in WEAK)
    assert names("v2-stage1") - names("v2-stage2") == WEAK
    assert names("v2-stage2") < names("v2-stage3")
    third = {entry["name"]: entry["ratio"] for entry in read_recipe("v2-stage3", bf16=False).data.data}
    assert all(third[name] == ratio for name, ratio in ratios.items() if name not in WEAK)
    assert by_task("v2-stage2") == {"caption": 60, "vqa": 120, "refer": 120, "identify": 60}


@pytest.mark.parametrize("stage", ["v2-stage1", "v2-stage2"])
def test_a_tiny_v2_learns_of_all_sets(stage, published_once, tiny_checkpoint, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    settings = {
        "model_name_or_path": tiny_checkpoint,
        "model_config": "{qformer_config: null, token_merge_size: 4}",  # as MiniGPT-v2's
        "data_root": published_once,
        "output_dir": tmp_path / "run",
        "max_steps": 25,
        "per_device_train_batch_size": 2,
        "dataloader_num_workers": 0,
        "bf16": "false",
        "save_strategy": "no",
        "disable_tqdm": "true",
    }
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    assert run(["train", stage, *words]) == 0
    captured = capsys.readouterr()
    lines = [line for line in (captured.out + captured.err).splitlines() if line.count("│") == 7]
    cells = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in lines]
    assert {name for name, *_ in cells} == names(stage)
    assert {lost for *_, lost in cells} == {"nothing"}
    assert sum(int(batches) for _, _, _, batches, _, _ in cells) == 25
    assert all(int(rows) == 2 * int(batches) for _, _, _, batches, rows, _ in cells)


def test_without_its_shards_the_first_stage_says_where_they_belong(tiny_checkpoint, published, capsys):
    (published / "grit/00000.tar").unlink()
    words = [
        "--set",
        f"model_name_or_path={tiny_checkpoint}",
        "--set",
        f"data_root={published}",
        "--set",
        "bf16=false",
    ]
    assert run(["train", "v2-stage1", *words]) == 1
    assert f"No shards found for {published}/grit/*.tar" in capsys.readouterr().err


def test_the_check_reads_shards_and_draws_their_boxes(published_once, tiny_checkpoint, tmp_path, capsys):
    said = {"model_name_or_path": tiny_checkpoint, "data_root": published_once, "bf16": "false"}
    said["data"] = "[{name: laion_caption}, {name: grit_grounded_caption}]"
    words = [word for key, value in said.items() for word in ("--set", f"{key}={value}")]
    assert run(["data", "check", "v2-stage1", *words, "--show", "1", "--output", str(tmp_path / "drawn")]) == 0
    assert "<p>A Dog</p>" in capsys.readouterr().out
    drawn, plain = (
        Image.open(tmp_path / "drawn" / name / "0.jpg") for name in ("grit_grounded_caption", "laion_caption")
    )
    assert drawn.size == plain.size == (200, 100)
    assert max(plain.getextrema()[2]) < 50 < max(drawn.getextrema()[2])  # the pictures are red
