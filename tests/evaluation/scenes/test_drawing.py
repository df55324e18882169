import random
from itertools import islice

import numpy as np
import pytest

from minigpt4.evaluation.scenes.drawing import RGB, draw
from minigpt4.evaluation.scenes.world import BACKGROUNDS, COLOURS, POSITIONS, SHAPES, Scene, SceneObject, sample_scenes


def one(size="large", colour="red", shape="circle", position="center", background="white"):
    return Scene(background, (SceneObject(size, colour, shape, position),))


def foreground(scene, size=96, rng=None):
    """Which pixels are not background."""
    pixels = np.asarray(draw(scene, size, rng)).astype(int)
    return np.abs(pixels - RGB[scene.background]).sum(-1) > 120


@pytest.mark.parametrize("size", [48, 96, 100, 224])
def test_objects_stand_in_their_cell(size):
    for index, position in enumerate(POSITIONS):
        rows, columns = np.nonzero(foreground(one(position=position), size))
        assert (rows.mean() * 3 // size, columns.mean() * 3 // size) == divmod(index, 3)
        assert rows.max() - rows.min() < size / 3
        assert columns.max() - columns.min() < size / 3


def test_objects_have_their_colour():
    for colour in COLOURS:
        assert draw(one(colour=colour)).getpixel((48, 48)) == RGB[colour]


def test_backgrounds_and_colours_can_be_told_apart():
    for background in BACKGROUNDS:
        for colour in COLOURS:
            assert foreground(one(colour=colour, background=background)).sum() > 200


def test_shapes_and_sizes_can_be_told_apart():
    masks = {shape: foreground(one(shape=shape)) for shape in SHAPES}
    for shape in SHAPES:
        for other in SHAPES:
            if shape != other:
                assert (masks[shape] ^ masks[other]).sum() > 60
        assert masks[shape].sum() > 2 * foreground(one(shape=shape, size="small")).sum()


def test_jitter_and_noise_follow_from_the_generator():
    scene = next(sample_scenes(0))
    clean, first, again, other = (np.asarray(draw(scene, rng=rng)) for rng in (None, *map(random.Random, (1, 1, 2))))
    assert (first == again).all()
    assert (first != other).any()
    assert (first != clean).any()


def test_objects_stay_in_their_cell_under_jitter():
    rng = random.Random(0)
    for scene in islice(sample_scenes(0), 40):
        taken = {POSITIONS.index(obj.position) for obj in scene.objects}
        black = Scene("black", scene.objects)  # on which every colour stands out
        cells = foreground(black, rng=rng).reshape(3, 32, 3, 32).sum((1, 3)).flatten()
        assert set(np.nonzero(cells > 25)[0]) == taken


def test_pictures_too_small_to_see_anything_in_are_refused():
    with pytest.raises(ValueError, match=r"size must be at least 48 pixels \(got 20\)"):
        draw(one(), size=20)
