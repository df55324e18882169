import numpy as np
import pytest
from pycocotools import mask as coco

from minigpt4.evaluation.boxes import iou


@pytest.mark.parametrize(
    ("first", "second", "plain", "published"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0, 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 50 / 150, 66 / 176),
        ((0, 0, 4, 9), (0, 0, 9, 9), 36 / 81, 50 / 100),
        ((0, 0, 10, 10), (2, 2, 4, 4), 4 / 100, 9 / 121),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0, 11 / (121 + 121 - 11)),  # they share an edge
        ((0, 0, 10, 10), (30, 30, 40, 40), 0.0, 0.0),
        ((0, 0, 10, 10), (30, 0, 40, 10), 0.0, 0.0),
        ((3, 3, 3, 3), (3, 3, 3, 3), 0.0, 1.0),  # nothing, or one pixel
        ((10, 10, 0, 0), (0, 0, 10, 10), 0.0, 0.0),
        ((0.25, 0.0, 0.75, 1.0), (0.5, 0.0, 1.0, 1.0), 1 / 3, None),
    ],
)
def test_intersection_over_union(first, second, plain, published):
    assert iou(first, second) == iou(second, first) == pytest.approx(plain)
    if published is not None:
        assert iou(first, second, whole_pixels=True) == pytest.approx(published)


def test_against_coco():
    """COCO's own program, on boxes that overlap, touch, hold each other and lie apart."""
    rng = np.random.default_rng(0)
    corners = np.sort(rng.integers(0, 12, (60, 2, 2)), axis=1)
    boxes = [[*map(float, box)] for box in corners.reshape(60, 4) if box[0] < box[2] and box[1] < box[3]]
    sizes = [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in boxes]
    theirs = coco.iou(sizes, sizes, [0] * len(sizes))
    ours = [[iou(one, other) for other in boxes] for one in boxes]
    assert np.count_nonzero(theirs) > len(boxes)
    np.testing.assert_allclose(ours, theirs)
