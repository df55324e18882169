"""Boxes, pictures and captions go into training as the published scripts read them, where helpers for users mend them."""

import json
import pickle
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from minigpt4.cli import run
from minigpt4.processing import load_image
from minigpt4.training import DataArguments, SequenceArguments, SequenceCollator, read_recipe
from minigpt4.training.data.features import cache_features
from minigpt4.training.data.mixtures import MixedBatches
from minigpt4.training.data.sets import clean_caption, open_set
from minigpt4.training.data.sources import load_train_rows
from minigpt4.training.row import row_images


OVER_THE_EDGE = "{<31><30><95><157>}"


def rewrite(file: Path, change) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize("name", ["refcoco", "refcoco+", "refcocog", "invrefcoco", "invrefcoco+", "invrefcocog"])
def test_a_box_over_the_edge_is_not_clipped(name, published):
    folder = published / "refcoco_annotations" / name.removeprefix("inv")
    rewrite(folder / "instances.json", lambda coco: coco["annotations"][0].update(bbox=[62, 30, 128.4, 127]))
    [row] = open_set(name, published)
    asked, answered = (message["content"] for message in row["messages"])
    assert OVER_THE_EDGE in (asked if name.startswith("inv") else answered)


def test_a_region_over_the_edge_is_not_clipped(published):
    region = {"x": 62, "y": 30, "width": 128, "height": 127}
    rewrite(
        published / "visual_genome/region_descriptions.json", lambda images: images[0]["regions"][0].update(region)
    )
    [row] = open_set("refvg", published)
    assert row["messages"][1]["content"] == OVER_THE_EDGE


@pytest.mark.parametrize(
    ("written", "cleaned"),
    [
        ("\nA Cat.\n", "\na cat"),
        ("\n\nA cat", "a cat"),
        ("\n A cat", "a cat"),
        (" A cat. \n", "a cat"),
        ("A\ncat", "a\ncat"),
    ],
)
def test_one_line_break_at_the_beginning_of_a_caption_stays(written, cleaned):
    assert clean_caption(written) == cleaned


def turned_picture(path: Path) -> np.ndarray:
    """Write a picture that is stored lying on its side, as its EXIF says; return what is stored."""
    rows, columns = np.mgrid[0:100, 0:200]
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.fromarray(np.stack([columns, rows * 2, columns + rows], -1).astype(np.uint8))
    picture.save(path, exif=exif, quality=95)
    with Image.open(path) as stored:
        return np.asarray(stored.convert("RGB"))


@pytest.fixture
def turned(published, processor):
    """The folder of all sets with such a picture in it, and the pixels that the model should see of it."""
    stored = turned_picture(published / "coco/images/COCO_train2014_000000000000.jpg")
    pixels = processor.image_processor(Image.fromarray(stored), return_tensors="pt")["pixel_values"]
    return published, pixels


@pytest.mark.parametrize("name", ["refcoco", "invrefcoco", "coco_caption", "llava_detail"])
def test_a_picture_is_not_turned(name, turned, processor):
    root, pixels = turned
    rows = open_set(name, root)
    collate = SequenceCollator(processor, SequenceArguments(training_template="v2"))
    for row in (rows[0], pickle.loads(pickle.dumps(rows[0]))):  # workers of a data loader are sent it
        torch.testing.assert_close(collate([row])["pixel_values"], pixels, rtol=0, atol=0)


def test_a_picture_of_a_mixture_is_not_turned(turned, processor):
    root, pixels = turned
    mixture = load_train_rows(DataArguments(data=[{"name": "refcoco"}], data_root=str(root)))
    [batch] = islice(MixedBatches(mixture, batch_size=1, seed=0), 1)
    collate = SequenceCollator(processor, SequenceArguments(training_template="v2"))
    torch.testing.assert_close(collate(batch.rows)["pixel_values"], pixels, rtol=0, atol=0)


def test_cached_features_are_of_the_picture_that_is_not_turned(turned, model, tiny_checkpoint, tmp_path):
    root, pixels = turned
    settings = {"model_name_or_path": str(tiny_checkpoint), "data": "refcoco", "data_root": str(root)}
    settings |= {"features": str(tmp_path / "features"), "bf16": False, "dataloader_num_workers": 0}
    recipe = read_recipe("v2-stage3", **settings)
    cache = cache_features(recipe)
    expected = model.eval().model.get_vision_features(pixels).pooler_output
    images = row_images(open_set("refcoco", root)[0])
    torch.testing.assert_close(cache.read(images), expected)


def test_the_check_draws_boxes_on_the_picture_that_is_not_turned(turned, tiny_checkpoint, tmp_path):
    root, _ = turned
    said = {"model_name_or_path": tiny_checkpoint, "data": "refcoco", "data_root": root, "bf16": "false"}
    settings = [word for key, value in said.items() for word in ("--set", f"{key}={value}")]
    assert run(["data", "check", "v2-stage3", *settings, "--show", "1", "--output", str(tmp_path / "drawn")]) == 0
    assert Image.open(tmp_path / "drawn/refcoco/0.jpg").size == (200, 100)


def test_pictures_of_your_own_are_turned_upright(tmp_path, processor):
    stored = turned_picture(tmp_path / "mine.jpg")
    turns = [{"from": "human", "value": "<image>\nWhat is it?"}, {"from": "gpt", "value": "A ramp."}]
    (tmp_path / "mine.json").write_text(json.dumps([{"image": "mine.jpg", "conversations": turns}]))
    row = open_set(str(tmp_path / "mine.json"))[0]
    upright = np.rot90(stored, -1)
    np.testing.assert_array_equal(np.asarray(load_image(row["images"][0])), upright)
    batch = SequenceCollator(processor, SequenceArguments(training_template="v2"))([row])
    pixels = processor.image_processor(Image.fromarray(np.ascontiguousarray(upright)), return_tensors="pt")
    torch.testing.assert_close(batch["pixel_values"], pixels["pixel_values"], rtol=0, atol=0)
