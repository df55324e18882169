"""Boxes between pixels and text: computed by hand, on pictures that are not square."""

import re
import time

import pytest

from minigpt4.processing import crop_box, format_box, format_boxes, format_phrase, parse_grounding, resize_box


WIDE = (640, 480)


@pytest.mark.parametrize(
    ("box", "size", "text"),
    [
        ((64, 48, 320, 240), WIDE, "{<10><10><50><50>}"),
        ((0, 0, 640, 480), WIDE, "{<0><0><100><100>}"),
        ((100, 100, 300, 400), WIDE, "{<15><20><46><83>}"),  # 15.6, 20.8, 46.9, 83.3: cut, not rounded
        ((639.9, 479.9, 640, 480), WIDE, "{<99><99><100><100>}"),
        ((10, 30, 20, 90), (50, 300), "{<20><10><40><30>}"),
        ((7, 1, 9, 2), (10, 3), "{<70><33><90><66>}"),
        ((185.6, 0, 371.2, 480), WIDE, "{<28><0><57><100>}"),  # 185.6 / 640 * 100 is 28.999…, as published
    ],
)
def test_pixels_to_text(box, size, text):
    assert format_box(box, size) == text


@pytest.mark.parametrize(
    ("box", "text"),
    [
        ((320, 240, 64, 48), "{<10><10><50><50>}"),
        ((320, 48, 64, 240), "{<10><10><50><50>}"),
        ((-30, -1, 700, 240), "{<0><0><100><50>}"),
        ((700, 500, 800, 600), "{<100><100><100><100>}"),
    ],
)
def test_corners_that_are_reversed_or_beyond_the_picture(box, text):
    assert format_box(box, WIDE) == text


@pytest.mark.parametrize(
    ("box", "text"),
    [
        ((320, 240, 64, 48), "{<50><50><10><10>}"),
        ((-30, -1, 700, 757), "{<-4><0><109><157>}"),
        ((64, 48, 320, 240), "{<10><10><50><50>}"),
    ],
)
def test_boxes_of_published_annotations_stay_as_they_are(box, text):
    assert format_box(box, WIDE, clip=False) == text


@pytest.mark.parametrize(
    ("box", "size"),
    [((1, 2, 3), WIDE), ((1, 2, 3, float("nan")), WIDE), ((1, 2, 3, 4), (0, 10)), ((1, 2, 3, 4), (10, -1))],
)
def test_no_box_or_no_size_is_refused(box, size):
    with pytest.raises(ValueError, match=r"four finite numbers|size of an image"):
        format_box(box, size)


def test_several_boxes_and_a_phrase():
    boxes = [(64, 48, 320, 240), (0, 240, 640, 480)]
    assert format_boxes(boxes, WIDE) == "{<10><10><50><50>}<delim>{<0><50><100><100>}"
    assert format_phrase("a dog", boxes, WIDE) == "<p>a dog</p> {<10><10><50><50>}<delim>{<0><50><100><100>}"
    assert format_phrase("a dog", [], WIDE) == "<p>a dog</p>"
    with pytest.raises(ValueError, match="'a <b> dog' contains one of"):
        format_phrase("a <b> dog", boxes, WIDE)


def test_a_grounded_description():
    text = (
        "<p>Two dogs</p> {<10><20><30><40>}<delim>{<50><60><70><80>} lie on <p>a mat</p> {<0><50><100><100>}, asleep."
    )
    grounding = parse_grounding(text, (200, 400))
    assert grounding.text == "Two dogs lie on a mat, asleep."
    dogs, mat = grounding.phrases
    assert (dogs.phrase, dogs.boxes) == ("Two dogs", [(20, 80, 60, 160), (100, 240, 140, 320)])
    assert (mat.phrase, mat.boxes) == ("a mat", [(0, 200, 200, 400)])
    assert [grounding.text[slice(*phrase.span)] for phrase in grounding.phrases] == ["Two dogs", "a mat"]
    assert grounding.boxes == [*dogs.boxes, *mat.boxes]
    assert grounding.problems == []


def test_a_box_without_a_phrase():
    answer = parse_grounding("{<25><0><75><50>}", (200, 100))
    assert (answer.text, answer.boxes, answer.problems) == ("", [(50, 0, 150, 50)], [])
    question = parse_grounding("[identify] what is this {<25><0><75><50>} ?")
    assert question.text == "[identify] what is this ?"
    assert question.boxes == [(25, 0, 75, 50)]  # hundredths, where no size is given


@pytest.mark.parametrize(
    ("text", "plain", "boxes", "problems"),
    [
        ("no box at all", "no box at all", [], []),
        ("", "", [], []),
        ("{<30><40><10><20>}", "", [(10, 20, 30, 40)], ["{<30><40><10><20>} (corners reversed)"]),
        ("{<10><20><30><140>}", "", [(10, 20, 30, 100)], ["{<10><20><30><140>} (outside 0 to 100)"]),
        ("{<-5><20><30><40>}", "", [(0, 20, 30, 40)], ["{<-5><20><30><40>} (outside 0 to 100)"]),
        ("a cat {<1><2><3>} sits", "a cat sits", [], ["{<1><2><3>} (not understood)"]),
        ("a cat {<1><2><3", "a cat", [], ["{<1><2><3 (not understood)"]),  # cut off by the longest answer
        ("{<1.5><2><3><4>}", "", [], ["{<1.5><2><3><4>} (not understood)"]),
        ("{ <1> <2> <3> <4> }", "", [(1, 2, 3, 4)], []),
        ("<p>a cat</p> on a mat", "a cat on a mat", [], ["<p>a cat</p> (no box follows)"]),
        ("<p>a cat {<1><2><3><4>}", "a cat", [(1, 2, 3, 4)], ["<p> (not understood)"]),
        (
            "{<1><2><3><4>}<delim>",
            "",
            [(1, 2, 3, 4)],
            ["<delim> (not understood)"],
        ),
        (
            "{<1><2><3><4>}<delim>{<5><6><7>",
            "",
            [(1, 2, 3, 4)],
            ["<delim> (not understood)", "{<5><6><7> (not understood)"],
        ),
        ("{<" + "9" * 5000 + "><2><3><4>}", "", [], ["{<" + "9" * 5000 + "><2><3><4>} (not understood)"]),
        ("a set {1, 2} and x < 3 > 2", "a set {1, 2} and x < 3 > 2", [], []),
    ],
)
def test_what_is_wrong_is_told_and_the_rest_kept(text, plain, boxes, problems):
    grounding = parse_grounding(text)
    assert (grounding.text, grounding.boxes, grounding.problems) == (plain, boxes, problems)


@pytest.mark.parametrize("size", [(640, 427), (333, 500), (1, 1), (4000, 7)])
def test_text_to_pixels_to_text_changes_nothing(size):
    for value in range(100):
        text = f"<p>it</p> {{<{value}><{99 - value if value < 50 else value}><100><100>}}"
        [phrase] = parse_grounding(text, size).phrases
        assert format_phrase("it", phrase.boxes, size) == text


def test_long_nonsense_takes_no_long_time():
    def seconds(text: str) -> float:
        start = time.process_time()
        parse_grounding(text)
        return time.process_time() - start

    for piece in ("{<1>", "{ ", "<p>", " ", "{<1><2><3><4>} ", "<delim> "):
        # Linear time grows 16 times here, quadratic time 256 times.
        assert seconds(piece * 32_000) < 100 * max(seconds(piece * 2_000), 1e-3), piece


def test_boxes_follow_the_picture():
    assert resize_box((64, 48, 320, 240), WIDE, (320, 480)) == (32, 48, 160, 240)
    assert format_box(resize_box((64, 48, 320, 240), WIDE, (448, 448)), (448, 448)) == "{<10><10><50><50>}"
    assert crop_box((64, 48, 320, 240), (100, 0, 200, 100)) == (0, 48, 100, 100)
    assert crop_box((64, 48, 320, 240), (50, 40, 400, 300)) == (14, 8, 270, 200)
    assert crop_box((64, 48, 320, 240), (330, 0, 400, 480)) is None


def test_the_processor_reads_boxes(processor):
    assert processor.post_process_grounding("<p>it</p> {<25><0><75><50>}", (200, 100)).boxes == [(50, 0, 150, 50)]


def test_published_form():
    """Every box this package writes is what the published evaluation looks for."""
    assert re.fullmatch(r"\{<\d{1,3}><\d{1,3}><\d{1,3}><\d{1,3}>\}", format_box((-5, 3.7, 1e9, 0), (31, 77)))
