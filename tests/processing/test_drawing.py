"""Boxes on pictures and coloured words: they agree, and stay inside."""

import numpy as np
import pytest
from PIL import Image, ImageColor

from minigpt4.processing import coloured_text, draw_boxes, ink_on, parse_grounding, phrase_colours
from minigpt4.processing.drawing import COLOURS


TEXT = "<p>a cat</p> {<10><20><50><80>} and <p>a dog</p> {<60><20><90><80>} and <p>A cat</p> {<0><0><5><5>}"


def grey(size=(400, 200)):
    return Image.new("RGB", size, (128, 128, 128))


def test_words_and_boxes_have_the_same_colours():
    grounding = parse_grounding(TEXT, (400, 200))
    cat, dog, again = phrase_colours(grounding.phrases)
    assert cat == again != dog
    assert coloured_text(grounding) == [
        ("a cat", cat),
        (" and ", None),
        ("a dog", dog),
        (" and ", None),
        ("A cat", cat),
    ]
    picture = draw_boxes(grey(), grounding.phrases)
    assert picture.getpixel((40, 100)) == ImageColor.getrgb(cat)  # 10 % of 400
    assert picture.getpixel((359, 100)) == ImageColor.getrgb(dog)
    assert picture.getpixel((100, 100)) == (128, 128, 128)  # inside


def test_every_phrase_a_colour_of_its_own():
    text = "".join(f"<p>{word}</p> {{<0><0><9><9>}}" for word in "abcdefgh")
    assert len(set(phrase_colours(parse_grounding(text + "{<1><1><2><2>}").phrases)[:8])) == 8
    two = parse_grounding("{<1><1><2><2>} or {<3><3><4><4>}").phrases
    assert len(set(phrase_colours(two))) == 2


def test_words_without_a_box_have_no_colour():
    grounding = parse_grounding("<p>a cat</p> and a dog")
    assert coloured_text(grounding) == [("a cat", None), (" and a dog", None)]


def test_the_label_is_above_the_box():
    grounding = parse_grounding("<p>a cat</p> {<10><50><50><80>}", (400, 200))
    changed = np.asarray(draw_boxes(grey(), grounding.phrases)) != 128
    assert changed[85:100, 40:80].any()
    assert not changed[:60].any()


@pytest.mark.parametrize("size", [(1, 1), (3, 90), (90, 3), (640, 480)])
@pytest.mark.parametrize("box", ["{<0><0><100><100>}", "{<100><100><100><100>}", "{<0><0><0><0>}"])
def test_boxes_at_the_edge_of_pictures_of_any_size(size, box):
    phrases = parse_grounding(f"<p>a label that is wider than many a picture</p> {box}", size).phrases
    image = grey(size)
    picture = draw_boxes(image, phrases)
    assert picture.size == size
    assert (np.asarray(picture) != 128).any()
    assert (np.asarray(image) == 128).all()  # left as it was


def test_the_whole_picture_has_all_four_sides():
    picture = draw_boxes(grey(), parse_grounding("{<0><0><100><100>}", (400, 200)).phrases)
    for point in ((0, 100), (399, 100), (200, 0), (200, 199)):
        assert picture.getpixel(point) != (128, 128, 128)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_pictures_of_every_mode(mode):
    phrases = parse_grounding(TEXT, (400, 200)).phrases
    assert draw_boxes(grey().convert(mode), phrases).mode == "RGB"


@pytest.mark.parametrize("colour", COLOURS)
def test_words_can_be_read_on_their_colour(colour):
    luminances = [_luminance(ImageColor.getrgb(each)) for each in (colour, ink_on(colour))]
    assert (max(luminances) + 0.05) / (min(luminances) + 0.05) >= 4.5


def _luminance(colour) -> float:
    """As WCAG 2 defines it, with its power of 2.4 for all channels: none here is so dark that it is linear."""
    return sum(
        share * ((each / 255 + 0.055) / 1.055) ** 2.4
        for share, each in zip((0.2126, 0.7152, 0.0722), colour, strict=True)
    )
