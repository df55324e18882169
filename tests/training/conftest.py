"""What the tests of training share."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

import minigpt4  # noqa: F401


COLOURS = ["red", "green", "blue", "white"]


@pytest.fixture
def model(tiny_checkpoint):
    return AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)


@pytest.fixture
def processor(tiny_checkpoint):
    return AutoProcessor.from_pretrained(tiny_checkpoint)


@pytest.fixture
def pieces(processor):
    """The ids of one segment, by hand: the tiny tokenizer has a token for every printable character."""

    def spell(text: str, space: bool = True) -> list[int]:
        ids = []
        for character in ("▁" if space else "") + text.replace(" ", "▁"):
            id_ = processor.tokenizer.convert_tokens_to_ids(character)
            ids += [id_] if id_ != processor.tokenizer.unk_token_id else [3 + byte for byte in character.encode()]
        return ids

    return spell


@pytest.fixture
def own_folder(tmp_path) -> Path:
    """A folder of eight pictures of one colour each, with a `metadata.jsonl`."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    lines = []
    for index, colour in enumerate(COLOURS * 2):
        Image.new("RGB", (28, 28), colour).save(folder / f"{index}.png")
        lines.append({"file_name": f"{index}.png", "text": colour})
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


@pytest.fixture
def jpeg():
    """Bytes of a small JPEG."""

    def encode(colour: str = "red") -> bytes:
        file = io.BytesIO()
        Image.new("RGB", (28, 28), colour).save(file, "JPEG")
        return file.getvalue()

    return encode


@pytest.fixture
def write_tar(tmp_path):
    """Writes a tar of members with these names and contents, in this order."""

    def write(name: str, members: list[tuple[str, bytes]]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        with tarfile.open(path, "w") as tar:
            for member, content in members:
                information = tarfile.TarInfo(member)
                information.size = len(content)
                tar.addfile(information, io.BytesIO(content))
        return path

    return write


@pytest.fixture
def write_shards(write_tar, jpeg):
    """Writes shards of samples `SHARD-NUMBER`, whose captions are their names, and gives their name with numbers."""

    def write(folder: str, shards: int = 4, samples: int = 6) -> str:
        for shard in range(shards):
            names = [f"{shard}-{number}" for number in range(samples)]
            members = [[(f"{name}.jpg", jpeg()), (f"{name}.txt", name.encode())] for name in names]
            path = write_tar(f"{folder}/{shard:05}.tar", [part for sample in members for part in sample])
        return f"{path.parent}/{{00000..{shards - 1:05}}}.tar"

    return write


@pytest.fixture
def recipe(tiny_checkpoint, own_folder, tmp_path):
    """Reads a recipe for a short run of the tiny model on the folder of pictures."""
    from minigpt4.training import read_recipe

    def read(name: str = "own-folder", **overrides):
        settings = {
            "model_name_or_path": str(tiny_checkpoint),
            "data": str(own_folder),
            "output_dir": str(tmp_path / "run"),
            "max_steps": 4,
            "per_device_train_batch_size": 2,
            "gradient_accumulation_steps": 1,
            "logging_steps": 1,
            "dataloader_num_workers": 0,
            "save_strategy": "no",
            "disable_tqdm": True,
        }
        return read_recipe(name, **{**settings, **overrides})

    return read
