"""`minigpt4 train` and `minigpt4 evaluate`: the hand-over to the functions that do it."""

import json


def test_evaluate_scenes_prints_scores(command, tiny_checkpoint):
    arguments = ("evaluate", "scenes", "--model", tiny_checkpoint, "--scenes", 2, "--seed", 3)
    table = command(*arguments)
    assert table.code == 0
    assert "2 held-out scenes, seed 3" in table.out
    scores = json.loads(command(*arguments, "--json").out)
    assert (scores["scenes"], scores["seed"]) == (2, 3)
    assert 0 <= scores["questions"]["all"] <= 1


def test_train_nano_does_not_overwrite(command, picture):
    result = command("train", "nano", "--output", picture.parent)
    assert result.code == 1
    assert result.err.splitlines() == [f"minigpt4: {picture.parent} is not empty: give a new folder for nano."]
    assert picture.exists()
