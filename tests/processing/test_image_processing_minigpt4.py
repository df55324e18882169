import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from transformers.utils import is_torchvision_available

import minigpt4.processing
from minigpt4.processing import MiniGPT4ImageProcessorPil
from minigpt4.processing.image_processing_minigpt4 import MiniGPT4ImageProcessor


MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
needs_torchvision = pytest.mark.skipif(not is_torchvision_available(), reason="torchvision is not installed")


def published(image, size=224):
    """What the published models see: Pillow's bicubic on 8 bits, then CLIP's mean and deviation."""
    pixels = np.asarray(image.convert("RGB").resize((size, size), PIL.Image.BICUBIC), np.float32) / 255
    return ((pixels - MEAN) / STD).transpose(2, 0, 1)


def grey_levels(pixels, expected):
    return np.abs((np.asarray(pixels) - expected).transpose(1, 2, 0) * STD * 255).max()


@pytest.fixture(params=["pil", pytest.param("torchvision", marks=needs_torchvision)])
def image_processor(request):
    return {"pil": MiniGPT4ImageProcessorPil, "torchvision": MiniGPT4ImageProcessor}[request.param]()


@pytest.fixture
def tolerance(image_processor):
    return 0.01 if image_processor.backend == "pil" else 2.5


@pytest.fixture
def picture():
    rows, columns = np.mgrid[0:90, 0:130]
    return PIL.Image.fromarray(np.stack([columns * 2, rows * 3 % 256, columns + rows], -1).astype(np.uint8))


@pytest.mark.parametrize("box", [(0, 0, 130, 90), (0, 0, 1, 1), (0, 0, 130, 1), (0, 0, 1, 90), (3, 5, 90, 11)])
def test_pixels_are_the_published_ones(image_processor, tolerance, picture, box):
    pixels = image_processor(picture.crop(box), return_tensors="pt").pixel_values
    assert pixels.shape == (1, 3, 224, 224)
    assert pixels.dtype == torch.float32
    assert grey_levels(pixels[0], published(picture.crop(box))) <= tolerance


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_every_mode_is_read_as_pillow_converts_it(image_processor, tolerance, picture, mode):
    image = picture.convert(mode)
    assert grey_levels(image_processor(image).pixel_values[0], published(image)) <= tolerance


def test_a_transparent_palette_is_not_laid_over_white(image_processor, tolerance, picture):
    image = picture.convert("P")
    image.info["transparency"] = 3
    assert grey_levels(image_processor(image).pixel_values[0], published(picture.convert("P"))) <= tolerance


def test_arrays_in_either_channel_order(image_processor, tolerance, picture):
    array = np.asarray(picture).copy()
    transparent = np.concatenate([array, np.full((*array.shape[:2], 1), 7, np.uint8)], -1)
    inputs = [array, array.transpose(2, 0, 1), transparent, transparent.transpose(2, 0, 1)]
    for image in [*inputs, *map(torch.tensor, inputs)]:
        assert grey_levels(image_processor(image).pixel_values[0], published(picture)) <= tolerance


def test_greyscale_arrays(image_processor, tolerance, picture):
    image = picture.convert("L")
    array = np.asarray(image).copy()
    for grey in (array, array[None], array[..., None], torch.tensor(array)):
        assert grey_levels(image_processor(grey).pixel_values[0], published(image)) <= tolerance


def test_the_channel_order_can_be_said_where_it_is_open(image_processor, tolerance):
    image = np.array([[[250, 10, 10], [10, 250, 10], [10, 10, 250]]] * 3, np.uint8)  # (3, 3, 3)
    pixels = image_processor(image, input_data_format="channels_last").pixel_values[0]
    assert grey_levels(pixels, published(PIL.Image.fromarray(image))) <= tolerance


def test_single_batch_and_nested(image_processor, picture, tmp_path):
    picture.save(tmp_path / "a.png")
    array = np.asarray(picture).copy()
    one = image_processor(picture, return_tensors="pt").pixel_values
    batches = [
        ([picture] * 3, 3),
        ([picture, array, str(tmp_path / "a.png"), tmp_path / "a.png", (tmp_path / "a.png").read_bytes()], 5),
        ([[picture], [picture, array]], 3),
        (np.stack([array] * 2), 2),
        (torch.tensor(np.stack([array] * 2)).permute(0, 3, 1, 2), 2),
    ]
    for batch, count in batches:
        pixels = image_processor(batch, return_tensors="pt").pixel_values
        torch.testing.assert_close(pixels, one.expand(count, -1, -1, -1))


def test_a_batch_of_different_sizes(image_processor, picture):
    images = [picture, picture.crop((0, 0, 20, 80)), picture]
    pixels = image_processor(images, return_tensors="pt").pixel_values
    for row, image in zip(pixels, images, strict=True):
        torch.testing.assert_close(row, image_processor(image, return_tensors="pt").pixel_values[0])


def test_the_size_can_be_set_and_is_saved(image_processor, picture, tmp_path):
    larger = type(image_processor)(size=448)
    larger.save_pretrained(tmp_path)
    again = type(image_processor).from_pretrained(tmp_path)
    assert again(picture, return_tensors="pt").pixel_values.shape == (1, 3, 448, 448)
    assert image_processor(picture, size=28, return_tensors="pt").pixel_values.shape == (1, 3, 28, 28)


def test_what_is_no_image_is_refused(image_processor, tmp_path):
    with pytest.raises(TypeError, match="Cannot read an image from a dict"):
        image_processor({"image": 1})
    with pytest.raises(TypeError, match="Cannot read an image from a NoneType"):
        image_processor([None])
    with pytest.raises(FileNotFoundError, match=r"No image file at .*no\.png"):
        image_processor(tmp_path / "no.png")


def test_without_torchvision_pillow_takes_its_place():
    found = minigpt4.processing.MiniGPT4ImageProcessor
    assert found is (MiniGPT4ImageProcessor if is_torchvision_available() else MiniGPT4ImageProcessorPil)
    if not is_torchvision_available():
        with pytest.raises(ImportError, match="needs torchvision: install it, or use MiniGPT4ImageProcessorPil"):
            MiniGPT4ImageProcessor()


# As where torchvision is installed, as far as the choice between the two goes. The class itself still finds that it is not.
TORCHVISION = """
import sys
from pathlib import Path
import transformers.utils
from transformers import AutoImageProcessor, AutoProcessor
from transformers.models.auto import image_processing_auto
from minigpt4 import registration
registration.register()
transformers.utils.is_torchvision_available = image_processing_auto.is_torchvision_available = lambda: True
registration.register.__wrapped__()
for folder in sys.argv[1:]:
    loaded = AutoProcessor.from_pretrained(folder).image_processor, AutoImageProcessor.from_pretrained(folder)
    print(*(type(one).__name__ for one in loaded))
    for choice in {"backend": "torchvision"}, {"use_fast": True}:
        try:
            print(type(AutoImageProcessor.from_pretrained(folder, **choice)).__name__)
        except ImportError as error:
            print(str(error).split(" needs torchvision")[0])
"""


def test_beside_torchvision_the_published_pixels_are_the_default(tiny_checkpoint):
    """Also of folders that name no code, or name both, as they were saved before."""
    before = Path(shutil.copytree(tiny_checkpoint, tiny_checkpoint.parent / "before"))
    settings = json.loads((before / "processor_config.json").read_text())
    both = [
        "image_processing_pil_minigpt4.MiniGPT4ImageProcessorPil",
        "image_processing_minigpt4.MiniGPT4ImageProcessor",
    ]
    settings["image_processor"]["auto_map"]["AutoImageProcessor"] = both
    (before / "processor_config.json").write_text(json.dumps(settings))
    folders = [tiny_checkpoint, before, minigpt4.nano_path()]
    done = subprocess.run(
        [sys.executable, "-c", TORCHVISION, *map(str, folders)], capture_output=True, text=True, check=True
    )
    pillow, torchvision = "MiniGPT4ImageProcessorPil", "MiniGPT4ImageProcessor"
    assert done.stdout.splitlines() == [f"{pillow} {pillow}", torchvision, torchvision] * len(folders)


def test_auto_image_processor_in_a_fresh_process_is_quiet(fresh, tmp_path):
    MiniGPT4ImageProcessorPil(size=28).save_pretrained(tmp_path)
    code = (
        "import sys, minigpt4; from transformers import AutoImageProcessor as A;"
        "p = A.from_pretrained(sys.argv[1]); print(p.backend, p.size.height)"
    )
    run = fresh(code, tmp_path)
    assert run.stdout.split() == ["pil", "28"]
    assert run.stderr == ""
