from itertools import islice

import pytest
import torch

from minigpt4.evaluation.scenes.boxed import sample_boxed_scenes
from minigpt4.training.nano.v2.codes import (
    GROUPS,
    codes,
    covering_tokens,
    curve,
    directions,
    read_sides,
    read_words,
    side_labels,
    token_of,
    word_labels,
)
from minigpt4.training.nano.v2.settings import PATCHES_PER_ROW, VISION_WIDTH


@pytest.fixture(scope="module")
def scenes():
    return list(islice(sample_boxed_scenes("codes"), 60))


def test_directions_are_orthonormal_and_reachable_after_a_layer_norm():
    rows = torch.cat(directions())
    torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows)), atol=1e-5, rtol=0)
    assert rows.mean(1).abs().max() < 1e-6


def test_every_object_has_a_token_of_its_own(scenes):
    for scene, words in zip(scenes, word_labels(scenes), strict=True):
        tokens = {token_of(obj, scene) for obj in scene.objects}
        assert len(tokens) == len(scene.objects)
        assert set(words[:, 0].nonzero().flatten().tolist()) == tokens
        for obj in scene.objects:
            said = [group[i] for group, i in zip(GROUPS.values(), words[token_of(obj, scene)], strict=True)]
            assert said == ["object", scene.background, obj.size, obj.colour, obj.shape, obj.position]


def test_codes_hold_every_word_and_the_box_and_nothing_else(scenes):
    words, sides = word_labels(scenes), side_labels(scenes)
    held = codes(words, sides)
    torch.testing.assert_close(held.norm(dim=-1), torch.full(held.shape[:-1], VISION_WIDTH**0.5))
    for group, scores in enumerate(read_words(held)):
        there = words[..., group] >= 0
        assert torch.equal(scores.argmax(-1)[there], words[..., group][there])
    objects = words[..., 0] == 1
    torch.testing.assert_close(read_sides(held[objects]), sides[objects], atol=0.051, rtol=0)


def test_the_nearer_the_sides_the_nearer_their_curves():
    points = curve(torch.tensor([30.0, 30.5, 31.0, 33.0, 90.0]))
    distances = (points - points[0]).norm(dim=-1)
    assert torch.equal(distances, distances.sort().values)


def test_patches_of_an_object_lie_in_its_box(scenes):
    for scene, covering in zip(
        scenes, covering_tokens(scenes).reshape(-1, PATCHES_PER_ROW, PATCHES_PER_ROW), strict=True
    ):
        last = scene.objects[-1]  # which nothing covers
        rows, columns = (covering == token_of(last, scene)).nonzero().T
        x1, y1, x2, y2 = (PATCHES_PER_ROW * value / side for value, side in zip(last.box, scene.size * 2, strict=True))
        assert abs(columns.min() - x1) <= 0.5
        assert abs(columns.max() + 1 - x2) <= 0.5
        assert abs(rows.min() - y1) <= 0.5
        assert abs(rows.max() + 1 - y2) <= 0.5
