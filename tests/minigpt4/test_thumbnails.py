"""Pictures for terminals, read back as the terminals' documentation says."""

import re
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from minigpt4.commands.thumbnails import encode


@pytest.fixture
def picture() -> Image.Image:
    """Four coloured quarters, of which each terminal has the colours."""
    image = Image.new("RGB", (120, 80), (255, 0, 0))
    image.paste((0, 255, 0), (60, 0, 120, 40))
    image.paste((0, 0, 255), (0, 40, 60, 80))
    image.paste((255, 255, 255), (60, 40, 120, 80))
    return image


def read_sixels(text: str) -> np.ndarray:
    """The pixels in a text of sixels."""
    width, height, body = re.fullmatch(r'\x1bPq"1;1;(\d+);(\d+)(.*)\x1b\\', text).groups()
    pixels = np.zeros((int(height) + 5, int(width), 3), np.uint8)
    colours, colour, x, y = {}, None, 0, 0
    for define, select, repeat, control in re.findall(r"#(\d+;2;\d+;\d+;\d+)|#(\d+)|!(\d+)(?=.)|(.)", body):
        if define:
            number, _, *percents = map(int, define.split(";"))
            colours[number] = [round(percent * 255 / 100) for percent in percents]
        elif select:
            colour = colours[int(select)]
        elif repeat:
            times = int(repeat)
        elif control == "$":
            x = 0
        elif control == "-":
            x, y = 0, y + 6
        else:
            for row in range(6):
                if (ord(control) - 63) >> row & 1:
                    pixels[y + row, x : x + times] = colour
            x, times = x + times, 1
    return pixels[: int(height)]


def test_sixels(picture):
    np.testing.assert_array_equal(read_sixels(encode(picture, "sixel", 80)), np.asarray(picture))


def test_iterm2(picture):
    settings, data = re.fullmatch(r"\x1b\]1337;File=([^:]*):(.*)\a", encode(picture, "iterm2", 80)).groups()
    assert "inline=1" in settings.split(";")
    assert Image.open(BytesIO(b64decode(data))).size == picture.size


def test_kitty_in_pieces(picture):
    noise = Image.effect_noise((300, 160), 90).convert("RGB")
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", encode(noise, "kitty", 80))
    assert len(pieces) > 2
    assert all(len(data) <= 4096 for _, data in pieces)
    assert [re.search(r"m=(\d)", settings)[1] for settings, _ in pieces] == ["1"] * (len(pieces) - 1) + ["0"]
    assert pieces[0][0].startswith("a=T,f=100,")
    sent = Image.open(BytesIO(b64decode("".join(data for _, data in pieces))))
    np.testing.assert_array_equal(np.asarray(sent), np.asarray(noise))


@pytest.mark.parametrize("size", [(4000, 10), (10, 4000), (800, 600)])
def test_it_stays_small(size):
    height, width, _ = read_sixels(encode(Image.new("RGB", size), "sixel", 40)).shape
    assert width <= 400
    assert height <= 160
