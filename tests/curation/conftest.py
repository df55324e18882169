"""What the tests of curation share: drawn pictures, and recipes for them."""

import json
import random
from pathlib import Path

import pytest
import yaml

from minigpt4.curation import read_recipe
from minigpt4.evaluation.scenes import describe, draw, sample_scenes


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """A folder of twelve drawn scenes, some of them in a folder below."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = random.Random(0)
    for number, scene in zip(range(12), sample_scenes("curation"), strict=False):
        file = folder / ("more" if number % 3 == 0 else ".") / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        draw(scene, rng=rng).save(file)
    return folder


@pytest.fixture
def recipe(tmp_path, pictures, tiny_checkpoint):
    """Write and read a recipe with `generate`, and whatever else a test wants."""

    def make(**sections):
        content = {
            "output": str(tmp_path / "made"),
            "source": {"images": str(pictures)},
            "generate": {"model": str(tiny_checkpoint), "batch_size": 5},
            **sections,
        }
        file = tmp_path / "recipe.yaml"
        file.write_text(yaml.safe_dump(content))
        return read_recipe(file)

    return make


@pytest.fixture
def texts(tmp_path):
    """A section `generate` with texts from a file in place of a model's: those given, or so many different ones."""

    def make(*wanted: str | int) -> dict:
        scenes = sample_scenes("texts")
        given = [describe(next(scenes)) for _ in range(wanted[0])] if isinstance(wanted[0], int) else wanted
        lines = [{"id": str(number), "text": text} for number, text in enumerate(given, start=1)]
        (tmp_path / "texts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return {"from": str(tmp_path / "texts.jsonl")}

    return make
