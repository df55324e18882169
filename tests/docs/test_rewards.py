"""Everything docs/rewards.md tells people to do works, with fewer steps; the reward is what it says it is."""

import re
from itertools import islice

import pytest
import torch
from helpers import ROOT, read_guide
from transformers import AutoModelForImageTextToText

from benchmarks.rewards import follow
from minigpt4 import nano_path


GUIDE = read_guide("rewards")
FEWER = {
    "questions(160)": "questions(8)",
    "max_steps=40": "max_steps=2",
    "per_device_train_batch_size=32": "per_device_train_batch_size=4",
    "per_device_train_batch_size=16": "per_device_train_batch_size=2",
    "num_generations=8": "num_generations=4",
    'logging_steps": 10': 'logging_steps": 1',
    "--limit 200": "--limit 2",
}


def shorter(guide: str) -> str:
    for full, short in FEWER.items():
        assert full in guide
        guide = guide.replace(full, short)
    return guide


@pytest.fixture(scope="module")
def reader(tmp_path_factory, tiny_v2_checkpoint):
    """Where the reader works, what was defined there, and the log of each run. A tiny model stands for nano-v2."""
    folder = tmp_path_factory.mktemp("reader")
    logs, names = [], {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("minigpt4.evaluation.tasks.boxed_scenes.SCENES", 8)  # of which two are asked
        for names in follow(shorter(GUIDE), tiny_v2_checkpoint):
            if "trainer" in names and names["trainer"].state.log_history not in logs:
                logs.append(names["trainer"].state.log_history)
        yield folder, names, logs


def test_the_guide_from_top_to_bottom(reader, tiny_v2_checkpoint):
    folder, names, logs = reader
    weights = [
        AutoModelForImageTextToText.from_pretrained(name).model.multi_modal_projector.weight
        for name in (tiny_v2_checkpoint, folder / "runs" / "rewarded", folder / "runs" / "preferred")
    ]
    assert not torch.equal(weights[0], weights[2])
    [rewarded], [preferred] = ([log for log in history if "loss" in log][:1] for history in logs)
    assert rewarded["rewards/overlap/mean"] == 0  # nonsense has no boxes
    assert preferred["rewards/accuracies"] >= 0
    # The better answer ends, and its prompt has the image.
    batch = names["trainer"].data_collator([dict(names["pairs"][0])])
    learned = batch["input_ids"][0][batch["completion_mask"][0].bool()]
    text = names["processor"].tokenizer.decode(learned)
    assert text.replace(" ", "") == (names["pairs"][0]["chosen"][0]["content"] + "</s>").replace(" ", "")
    assert (batch["input_ids"][0] == names["processor"].image_token_id).sum() == names["processor"].num_image_tokens


@pytest.mark.parametrize(
    ("answer", "reward"),
    [
        ("{<20><20><40><40>}", 1.0),
        ("{<30><20><50><40>}", 1 / 3),
        ("<p>ring</p> {<60><60><80><80>}", 0.0),
        ("{<20><20><40><40>}<delim>{<20><20><40><40>}", 0.0),
        ("It is at the left.", 0.0),
        ("", 0.0),
    ],
)
def test_the_reward(reader, answer, reward):
    _, names, _ = reader
    [found] = names["overlap"]([[{"content": answer}]], box=[[40, 40, 80, 80]], size=[[200, 200]], prompts=[None])
    assert found == pytest.approx(reward)


def test_nano_v2_earns_rewards_and_learns_from_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [*_, names] = islice(follow(shorter(GUIDE)), 2)
    assert names["trainer"].state.log_history[0]["rewards/overlap/mean"] > 0.3
    before, after = (
        AutoModelForImageTextToText.from_pretrained(folder).model.multi_modal_projector.weight
        for folder in (nano_path("v2"), tmp_path / "runs" / "rewarded")
    )
    assert not torch.equal(before, after)


def test_links():
    links = {link for link in re.findall(r"\]\(([^)#]+)", GUIDE) if "://" not in link}
    assert all((ROOT / "docs" / link).exists() for link in links), links
