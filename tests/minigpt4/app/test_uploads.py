"""What a chat of the page keeps of its pictures."""

import gc

import numpy as np
import pytest
from PIL import Image

from benchmarks.hostile import bomb
from minigpt4.app.chat import Chat
from minigpt4.app.uploads import read_uploads
from minigpt4.app.views import LARGEST
from minigpt4.loading import load
from minigpt4.processing import MiniGPT4ImageProcessorPil
from minigpt4.processing.image_loading import ImageInputMixin, load_image


@pytest.fixture(scope="module")
def loaded(tiny_checkpoint):
    return load(tiny_checkpoint)


@pytest.fixture
def photo(tmp_path) -> str:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    path = tmp_path / "photo.jpg"
    Image.effect_noise((2000, 1500), 90).convert("RGB").save(path, exif=exif)
    return str(path)


def test_a_chat_keeps_small_pictures_and_the_model_reads_the_same(loaded, photo):
    model, processor = loaded
    chat = Chat(model, processor)
    *_, _ = chat.ask("What is this?", [photo], max_new_tokens=2)
    [turn] = chat.conversation.turns
    size = processor.image_processor.size
    assert turn.pictures[0].size == (size["width"], size["height"])
    assert Image.open(chat.picture).size == (LARGEST * 3 // 4, LARGEST)  # upright
    expected = processor.image_processor(load_image(photo), return_tensors="pt")["pixel_values"]
    assert processor.image_processor(list(turn.pictures), return_tensors="pt")["pixel_values"].equal(expected)


def test_a_chat_has_no_picture_in_memory_but_those_of_the_model(loaded, photo):
    before = {id(picture) for picture in _pictures()}
    chat = Chat(*loaded)
    for _ in range(2):
        *_, _ = chat.ask("What is this?", [photo], max_new_tokens=2)
    chat.conversation.finish_reading()
    kept = [picture for picture in _pictures() if id(picture) not in before]
    assert {id(picture) for picture in kept} == {id(p) for turn in chat.conversation.turns for p in turn.pictures}


def _pictures() -> list[Image.Image]:
    gc.collect()
    return [each for each in gc.get_objects() if issubclass(type(each), Image.Image)]


def test_boxes_are_about_the_last_picture_until_then(loaded, tmp_path):
    files = []
    for shade in (50, 200):
        files.append(str(tmp_path / f"{shade}.png"))
        Image.new("L", (400, 400), shade).save(files[-1])
    chat = Chat(*loaded)
    for given in ([files[0]], [], [files[1]], []):
        *_, _ = chat.ask("What is this?", given, max_new_tokens=2)
    assert Image.open(chat.picture).getpixel((0, 0)) == (200,) * 3
    *_, _ = chat.ask_again(1, max_new_tokens=2)
    assert Image.open(chat.picture).getpixel((0, 0)) == (50,) * 3


def test_pictures_that_are_too_large_are_named(loaded, tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb())
    with pytest.raises(
        ValueError, match=r"^bomb\.png is too large to open safely: 13000 x 13000 is more than 50 million"
    ):
        read_uploads([str(path)], loaded[1].image_processor)


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("size", [(613, 401), (224, 224), (5, 900), (1, 1)], ids=str)
def test_the_shrunk_picture_comes_to_the_same_pixels(mode, size):
    noise = Image.effect_noise(size, 90)
    picture = (
        Image.fromarray(np.asarray(noise, np.uint16) * 257) if mode == "I;16" else noise.convert("RGB").convert(mode)
    )
    processor = MiniGPT4ImageProcessorPil()
    expected = processor(picture, return_tensors="pt")["pixel_values"]
    for shrunk in (processor.shrink(picture), ImageInputMixin.shrink(processor, picture)):
        assert (shrunk.size, shrunk.mode) == ((224, 224), "RGB")
        assert processor(shrunk, return_tensors="pt")["pixel_values"].equal(expected)


def test_large_pictures_are_let_go(memory_of_large_pictures):
    """Eight of them would take 1.6 GB together."""
    prepare = (
        "from minigpt4.app.uploads import read_uploads; from minigpt4.processing import MiniGPT4ImageProcessorPil;"
        "processor = MiniGPT4ImageProcessorPil()"
    )
    peak, kept = memory_of_large_pictures(prepare, "pictures = read_uploads([picture] * 8, processor)")
    assert peak < 500
    assert kept < 100
