"""`minigpt4 demo`: what a newcomer sees first."""

import re
from pathlib import Path

import pytest
from PIL import Image


def exchanges(out: str) -> list[tuple[str, str]]:
    """What nano said and what is true, one pair for each thing asked."""
    return re.findall(r"^  nano:  (.*)\n  truth: (.*)$", out, flags=re.MULTILINE)


def test_drawn_picture_is_described_rightly(command):
    result = command("demo")
    assert (result.code, result.err) == (0, "")
    said = exchanges(result.out)
    assert len(said) == 3
    assert all(answer == truth for answer, truth in said)


def test_says_where_the_picture_is(command):
    path = re.search(r"^The picture: (.*)$", command("demo", "--seed", 1).out, flags=re.MULTILINE)[1]
    with Image.open(path) as picture:
        assert picture.format == "PNG"


def test_things_are_found_and_their_boxes_drawn(command):
    out = command("demo").out
    verdicts = re.findall(r"^  nano-v2: .*\n  truth:   .* \((right|wrong)\)$", out, flags=re.MULTILINE)
    assert len(verdicts) == 4
    assert "right" in verdicts
    [shown] = re.findall(r"^nano-v2 finds things, too. The picture: (.*)$", out, flags=re.MULTILINE)
    [drawn] = re.findall(r"^The picture with the boxes of its description: (.*)$", out, flags=re.MULTILINE)
    with Image.open(shown) as before, Image.open(drawn) as after:
        assert before.size == after.size
        assert before.tobytes() != after.tobytes()


def test_seed_decides_the_picture(command):
    first, again, other = (exchanges(command("demo", "--seed", seed).out) for seed in (2, 2, 3))
    assert first == again != other


def test_what_it_says_to_type_next_exists(command):
    lines = re.findall(r"^  minigpt4 (\w+|--help)", command("demo").out, flags=re.MULTILINE)
    assert len(lines) >= 3
    for verb in lines:
        assert command(verb, "--help").code == 0


@pytest.mark.parametrize(
    ("mode", "name"), [("RGB", "a.jpg"), ("RGBA", "a.webp"), ("I;16", "a.png"), ("CMYK", "a.tiff"), ("P", "a.gif")]
)
def test_picture_of_ones_own(command, tmp_path: Path, mode, name):
    Image.new(mode, (64, 48)).save(tmp_path / name)
    result = command("demo", tmp_path / name)
    assert (result.code, result.err) == (0, "")
    assert f"The picture: {tmp_path / name}" in result.out
    assert "drawn scenes" in result.out
    assert len(re.findall(r"^  nano:  \S", result.out, flags=re.MULTILINE)) == 2
