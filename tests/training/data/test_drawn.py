import random
from itertools import islice

import numpy as np
import pytest

from minigpt4.evaluation.scenes.boxed import sample_boxed_scenes
from minigpt4.processing.boxes import parse_grounding
from minigpt4.processing.tasks import TASKS
from minigpt4.training.arguments import DataArguments
from minigpt4.training.data.drawn import BOX_NOISE, DrawnRequests, weakened
from minigpt4.training.data.sources import SCENES, load_rows


@pytest.mark.parametrize("task", [*TASKS, "chat", "conversation"])
def test_rows_are_chats_about_their_picture_by_name(task):
    rows = load_rows(f"boxed-{task}", DataArguments(), "train", 12)
    assert len(rows) == 12
    for row, again in zip(rows, load_rows(f"boxed-{task}", DataArguments(), "train", 12), strict=True):
        assert row["messages"] == again["messages"]
        assert (np.asarray(row["images"][0]) == np.asarray(again["images"][0])).all()
        asked = [message["content"] for message in row["messages"] if message["role"] == "user"]
        assert len(asked) * 2 == len(row["messages"])
        assert (len(asked) > 1) == (task == "conversation")
        if task in TASKS:
            assert asked[0].startswith(f"[{task}] ")
        if task == "chat":
            assert "[" not in asked[0]


def test_conversations_mix_tasks():
    rows = DrawnRequests("mixed", 40, "conversation")
    asked = [[m["content"].partition("]")[0] for m in row["messages"][::2] if m["content"][0] == "["] for row in rows]
    assert sum(len(set(tasks)) > 1 for tasks in asked) > 20
    assert {task for tasks in asked for task in tasks} == {f"[{task}" for task in TASKS}


def test_without_identifiers_the_same_is_asked():
    with_them, without = (SCENES[name]("same", 10) for name in ("boxed-refer", "boxed-plain-refer"))
    for row, bare in zip(with_them, without, strict=True):
        assert row["messages"][0]["content"] == f"[refer] {bare['messages'][0]['content']}"
        assert row["messages"][1] == bare["messages"][1]


def test_weak_rows_are_of_the_true_picture_and_a_little_wrong():
    rng = random.Random(0)
    off, same, missing = [], [], 0
    for scene in islice(sample_boxed_scenes("weak"), 200):
        known = weakened(scene, rng)
        missing += len(scene.objects) - len(known.objects)
        for obj in known.objects:
            [true] = [each for each in scene.objects if (each.x, each.y) == (obj.x, obj.y)]
            sides = np.array([true.box.x2 - true.box.x1, true.box.y2 - true.box.y1] * 2)
            off.append(np.abs(np.subtract(obj.box, true.box)) / sides)
            same.append((obj.colour, obj.shape) == (true.colour, true.shape))
    assert 0.8 * BOX_NOISE < np.max(off) <= BOX_NOISE * 1.001
    assert 0.85 < np.mean(same) < 0.97
    assert missing > 50
    for row in DrawnRequests("weak", 5, "grounding", weak=True):
        assert not parse_grounding(row["messages"][1]["content"]).problems
