import pytest

from minigpt4.evaluation.scoring.grounding_accuracy import score, summarise


SIZE = {"width": 200, "height": 100}
TARGET = {"boxes": [[20, 10, 100, 50]], **SIZE}  # {<10><10><50><50>}
TWO = {"boxes": [[20, 10, 100, 50], [120, 50, 200, 100]], **SIZE}


@pytest.mark.parametrize(
    ("answer", "hit"),
    [
        ("{<10><10><50><50>}", 1),
        ("<p>the dog</p> { <10> <10> <50>\n<50> }", 1),
        ("{<50><50><10><10>}", 1),  # reversed corners are put in order
        ("{<10><10><30><50>}", 0),  # half of it: IoU is exactly 0.5
        ("{<10><10><31><50>}", 1),
        ("{<60><60><90><90>}", 0),
        ("{<10><10><50><50>}<delim>{<60><60><90><90>}", 0),  # a second guess
        ("{<10><10><50><50>}<delim>{<10><10><50><50>}", 0),
        ("{<10><10><50>}", 0),
        ("", 0),
        ("10 10 50 50", 0),
        ("{<十><十><五><五>}", 0),
        ("I see a dog. " * 2000, 0),
    ],
)
def test_a_hit_is_iou_above_a_half(answer, hit):
    assert score(answer, TARGET)["score"] == hit


def test_several_right_boxes_must_all_be_found():
    both = "{<60><50><100><100>}<delim>{<10><10><50><50>}"
    assert score(both, TWO) == {
        "score": 1,
        "iou": 1,
        "parsed": [[120, 50, 200, 100], [20, 10, 100, 50]],
        "corrected": False,
    }
    one = score("{<10><10><50><50>}", TWO)
    assert (one["score"], one["iou"]) == (0, 0.5)


def test_beyond_the_picture_is_corrected_and_counted():
    answer = score("{<10><10><50><150>}", {"boxes": [[20, 10, 100, 100]], **SIZE})
    assert answer["score"] == 1
    assert answer["corrected"]


def test_published_counts_a_pixel_more():
    """IoU 0.4545 in the place of 0.40: 4 x 1 pixels of 7 x 1 and of 7 x 1, as pixels from 0 to 6 and 3 to 9."""
    target = {"boxes": [[0, 0, 7, 1]], "width": 100, "height": 100}
    assert score("{<3><0><10><1>}", target)["iou"] == pytest.approx(4 / 10)
    assert score("{<3><0><10><1>}", target, published=True)["iou"] == pytest.approx(10 / 22)
    near = "{<0><0><10><2>}"  # 11 x 3 pixels, of which 8 x 2 are shared
    wide = {"boxes": [[0, 0, 10, 1]], "width": 100, "height": 100}
    assert score(near, wide)["score"] == 0
    assert score(near, wide, published=True)["score"] == 1  # 22 / 33


@pytest.mark.parametrize(
    ("answer", "hit"),
    [
        ("{<10> <10><50><50>}<unk>", 1),
        ("{<10><10><50><50>} a dog", 1),
        ("a dog {<10><10><50><50>}", 0),  # the box must come first
        ("{<10><10><50><50>} 2", 0),  # a fifth integer
        ("{<10><10><50><50>}<delim>{<10><10><50><50>}", 0),
        ("{<50><50><10><10>}", 0),
        ("{<1000><10><50><50>}", 0),
        ("", 0),
    ],
)
def test_published_pattern(answer, hit):
    assert score(answer, TARGET, published=True)["score"] == hit


@pytest.mark.parametrize(("target", "published"), [({"boxes": [], **SIZE}, False), (TWO, True)])
def test_a_target_must_have_its_boxes(target, published):
    with pytest.raises(ValueError, match="in its target"):
        score("{<10><10><50><50>}", target, published=published)


def test_summary_counts_what_is_no_box():
    answers = ["{<10><10><50><50>}", "left", "", "{<10><10><50><50>}{<0><0><1><1>}", "{<50><50><10><10>}"]
    assert summarise([score(answer, TARGET) for answer in answers]) == {
        "accuracy": 0.4,
        "mean_iou": 0.5,
        "n": 5,
        "unparsable": 2,
        "several": 1,
        "corrected": 1,
    }
