import random
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from minigpt4.evaluation.scenes import draw, sample_scenes
from minigpt4.evaluation.scenes.world import COLOURS, FACT_WORDS, POSITIONS, SHAPES, SIZES
from minigpt4.processing import MiniGPT4ImageProcessorPil
from minigpt4.training.nano.settings import WIDTH, NanoRecipe, Pretraining
from minigpt4.training.nano.vision import cell_labels, fact_codes, fact_labels, pretrain_towers, to_pixel_values


@pytest.fixture(scope="module")
def scenes():
    return list(islice(sample_scenes(0), 10))


def test_codes_are_orthonormal_and_reachable_after_a_layer_norm():
    codes = fact_codes()
    assert codes.shape == (len(FACT_WORDS), WIDTH)
    torch.testing.assert_close(codes @ codes.T, torch.eye(len(codes)), atol=1e-5, rtol=0)
    assert codes.mean(1).abs().max() < 1e-6
    assert torch.equal(codes, fact_codes())


def test_pixels_are_those_of_the_image_processor(scenes):
    rng = random.Random(0)
    pictures = [draw(scene, rng=rng) for scene in scenes]
    processor = MiniGPT4ImageProcessorPil(size={"height": 96, "width": 96})
    expected = processor(pictures, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(to_pixel_values([np.asarray(p) for p in pictures]), expected, atol=1e-5, rtol=0)


def test_labels_say_what_is_in_the_scene(scenes):
    for scene, queries in zip(scenes, fact_labels(scenes), strict=True):
        for words, query in zip(scene.facts, queries, strict=True):
            assert {FACT_WORDS[i] for i in query.nonzero()} == set(words)
            assert query.sum() == 1
    for scene, cells in zip(scenes, cell_labels(scenes), strict=True):
        assert (cells.sum(1) > 0).sum() == len(scene.objects)
        for obj in scene.objects:
            size, colour, shape = cells[POSITIONS.index(obj.position)] - 1
            assert (SIZES[size], COLOURS[colour], SHAPES[shape]) == (obj.size, obj.colour, obj.shape)


def test_towers_learn_and_follow_from_the_seed():
    steps = Pretraining(steps=40, batch_size=8, warmup_steps=5)
    recipe = NanoRecipe(seed=1, towers=steps)
    short = replace(recipe, towers=replace(steps, steps=2))
    first, again, other = (pretrain_towers(r).state_dict() for r in (short, short, replace(short, seed=2)))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)

    scenes = list(islice(sample_scenes("measure", held_out=True), 32))
    pixels = to_pixel_values([np.asarray(draw(scene, rng=random.Random(0))) for scene in scenes])
    quick = replace(recipe, towers=replace(steps, float32=True))  # a CPU emulates bfloat16
    towers, backgrounds = pretrain_towers(quick), fact_labels(scenes)[:, 0].argmax(-1)
    with torch.no_grad():
        seen = (towers(pixels)[1][:, 0] @ fact_codes().T).argmax(-1)
    assert (seen == backgrounds).float().mean() > 0.5  # four backgrounds: chance is a quarter
