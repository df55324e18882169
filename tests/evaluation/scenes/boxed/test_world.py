from itertools import combinations, islice

import numpy as np
import pytest

from minigpt4.evaluation.scenes.boxed import draw_boxed, sample_boxed_scenes
from minigpt4.evaluation.scenes.boxed.world import APART, COUNTS, PICTURE_SIZES, BoxedScene, box_centre
from minigpt4.evaluation.scenes.drawing import RGB
from minigpt4.evaluation.scenes.world import POSITIONS


@pytest.fixture(scope="module")
def scenes() -> list[BoxedScene]:
    return list(islice(sample_boxed_scenes(0), 400))


def test_scenes_follow_from_the_seed(scenes):
    assert list(islice(sample_boxed_scenes(0), 20)) == scenes[:20] != list(islice(sample_boxed_scenes(1), 20))


def test_combinations_kept_for_measuring_are_never_trained_on(scenes):
    measured = {scene.facts for scene in islice(sample_boxed_scenes(0, held_out=True), 400)}
    assert not measured & {scene.facts for scene in scenes}


def test_the_world_is_as_rich_as_it_says(scenes):
    assert {scene.count for scene in scenes} == set(COUNTS)
    assert {scene.size for scene in scenes} == set(PICTURE_SIZES)
    kinds = [[(obj.colour, obj.shape) for obj in scene.objects] for scene in scenes]
    assert sum(len(set(kind)) < len(kind) for kind in kinds) > 60  # several of one kind
    overlaps = [overlap(a, b) for scene in scenes for a, b in combinations(scene.objects, 2)]
    assert 0.1 < max(overlaps) <= 0.15


def overlap(a, b) -> float:
    """The common part of two boxes, in shares of the smaller one."""
    width = min(a.box.x2, b.box.x2) - max(a.box.x1, b.box.x1)
    height = min(a.box.y2, b.box.y2) - max(a.box.y1, b.box.y1)
    smaller = min((obj.box.x2 - obj.box.x1) * (obj.box.y2 - obj.box.y1) for obj in (a, b))
    return max(width, 0) * max(height, 0) / smaller


def test_objects_are_told_apart_by_words_and_by_their_centres(scenes):
    for scene in scenes:
        named = [(str(obj), obj.position) for obj in scene.objects]
        assert len(set(named)) == len(named)
        centres = [box_centre(obj.box, scene.size) for obj in scene.objects]
        for (ax, ay), (bx, by) in combinations(centres, 2):
            assert abs(ax - bx) >= APART[0] or abs(ay - by) >= APART[1]
        for obj, (x, y) in zip(scene.objects, centres, strict=True):
            assert obj.position == POSITIONS[3 * int(3 * y) + int(3 * x)]
        assert [int(y / APART[1]) for _, y in centres] == sorted(int(y / APART[1]) for _, y in centres)


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_boxes_are_exactly_around_what_is_drawn(scenes, scale):
    seen = set()
    for scene in scenes:
        for obj in scene.objects:
            if (obj.shape, obj.size) in seen:
                continue
            seen.add((obj.shape, obj.size))
            alone = BoxedScene("white" if obj.colour != "white" else "black", (obj,), scene.size)
            pixels = np.asarray(draw_boxed(alone, scale=scale)).astype(int)
            rows, columns = np.nonzero(np.abs(pixels - RGB[alone.background]).sum(-1) > 60)
            found = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            np.testing.assert_allclose(found, np.array(obj.box) * scale, atol=1.3)
            assert min(obj.box) >= 0
            assert obj.box.x2 <= scene.size[0]
            assert obj.box.y2 <= scene.size[1]
    assert len(seen) == 12


def test_a_scale_of_nothing_is_refused(scenes):
    with pytest.raises(ValueError, match=r"scale must be above 0 \(got 0\)"):
        draw_boxed(scenes[0], scale=0)
