"""The third stage of MiniGPT-v2 on all of its sets, at the published ratios."""

import re
from collections import Counter
from itertools import islice

import pytest

from minigpt4.cli import run
from minigpt4.training import read_recipe
from minigpt4.training.data.mixtures import MixedBatches
from minigpt4.training.data.sets import SETS
from minigpt4.training.data.sources import load_entry, load_train_rows


# Of the published configuration: ratio and batch size.
PUBLISHED = {
    "coco_caption": (10, 6),
    "textcaps_caption": (30, 6),
    "coco_vqa": (15, 6),
    "ok_vqa": (8, 6),
    "aok_vqa": (12, 6),
    "gqa": (50, 6),
    "ocrvqa": (30, 6),
    **dict.fromkeys(("refcoco", "refcoco+", "refcocog"), (25, 6)),
    **dict.fromkeys(("invrefcoco", "invrefcoco+", "invrefcocog"), (10, 6)),
    "refvg": (40, 6),
    **dict.fromkeys(("flickr_grounded_caption", "flickr_CaptionToPhrase", "flickr_ObjectToPhrase"), (80, 2)),
    "llava_conversation": (30, 2),
    "llava_detail": (20, 4),
    "llava_reason": (80, 4),
    "multitask_conversation": (50, 2),
    "unnatural_instruction": (10, 1),
}


def test_the_sets_are_drawn_at_the_published_ratios(published_once):
    recipe = read_recipe("v2-stage3", data_root=str(published_once), bf16=False)
    mixture = load_train_rows(recipe.data)
    assert {each.name: (each.ratio, each.batch_size) for each in mixture.sets} == PUBLISHED
    assert set(PUBLISHED) | {"cc_sbu_align"} == set(SETS)
    batches = list(islice(MixedBatches(mixture, batch_size=6, seed=0), 500))
    names = [mixture.sets[batch.set].name for batch in batches]
    total = sum(ratio for ratio, _ in PUBLISHED.values())
    drawn = Counter(names)
    for name, (ratio, _) in PUBLISHED.items():
        share = ratio / total
        deviation = (share * (1 - share) / len(names)) ** 0.5
        assert drawn[name] / len(names) == pytest.approx(share, abs=4 * deviation), name
    for name, batch in zip(names, batches, strict=True):
        assert len(batch.rows) == PUBLISHED[name][1]
        assert {row["source"].split(":")[0] for row in batch.rows} == {name}


def test_an_incomplete_folder_of_images_stops_every_set_but_one(write_sets, tmp_path):
    """A third of the images is missing, as in a folder without val2014: A-OKVQA alone names images of COCO 2017."""
    root = write_sets(tmp_path / "published")
    (root / "coco/images/COCO_train2014_000000000002.jpg").unlink()
    recipe = read_recipe("v2-stage3", data_root=str(root), bf16=False)
    refused = set()
    for entry in recipe.data.data:
        try:
            load_entry(entry, recipe.data)
        except ValueError:
            refused.add(entry["name"])
    assert refused == {name for name in PUBLISHED if SETS[name].images == "coco/images"} - {"aok_vqa"}


def test_a_tiny_v2_learns_of_all_sets(published_once, tiny_checkpoint, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    settings = {
        "model_name_or_path": tiny_checkpoint,
        "model_config": "{qformer_config: null, token_merge_size: 4}",  # as MiniGPT-v2's
        "data_root": published_once,
        "output_dir": tmp_path / "run",
        "max_steps": 30,
        "dataloader_num_workers": 0,
        "bf16": "false",
        "save_strategy": "no",
        "disable_tqdm": "true",
    }
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    assert run(["train", "v2-stage3", *words]) == 0
    captured = capsys.readouterr()
    table = r"^│ (\S+) +│ ([\d.]+)% +│ ([\d.]+)% +│ (\d+) +│ (\d+) +│ nothing"
    lines = re.findall(table, captured.out + captured.err, re.MULTILINE)
    assert {name for name, *_ in lines} == set(PUBLISHED)
    total = sum(ratio for ratio, _ in PUBLISHED.values())
    for name, share, drawn, batches, rows in lines:
        ratio, batch_size = PUBLISHED[name]
        assert float(share) == pytest.approx(100 * ratio / total, abs=0.05)
        assert float(drawn) == pytest.approx(100 * int(batches) / 30, abs=0.05)
        assert int(rows) == int(batches) * batch_size
    assert sum(int(batches) for *_, batches, _ in lines) == 30
