"""What `growth.py` measures at ever larger sizes."""

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from PIL import Image

from . import models
from .chat import questions, speaking_model
from .convert_7b import write_files, written_files
from .generation import inputs_of


@dataclass(frozen=True)
class Growth:
    """
    Args:
        name (`str`): what is done.
        unit (`str`): what there is ever more of.
        sizes (`tuple[int, ...]`): how much.
        prepare (`Callable`): makes files of a size in a folder.
        work (`Callable`): gets ready with that folder and size, and returns what is measured.
        warm (`int`, *optional*, defaults to 100): the size at which the work is done once before.
    """

    name: str
    unit: str
    sizes: tuple[int, ...]
    prepare: Callable[[Path, int], None]
    work: Callable[[Path, int], Callable[[], object]]
    warm: int = 100


REGIONS = 50  # of an image, as in Visual Genome


def make_regions(folder: Path, rows: int) -> None:
    """Files as Visual Genome's, written without holding them."""
    root = folder / "visual_genome"
    (root / "VG_100K").mkdir(parents=True)
    images = rows // REGIONS
    Image.new("RGB", (8, 8)).save(root / "VG_100K" / "1.jpg")
    with (root / "image_data.json").open("w") as file:
        url = "https://cs.stanford.edu/people/rak248/VG_100K/1.jpg"
        for number in range(images):
            image = {"image_id": number, "url": url, "width": 800, "height": 600, "coco_id": None, "flickr_id": None}
            file.write(("[" if number == 0 else ",") + json.dumps(image))
        file.write("]")
    with (root / "region_descriptions.json").open("w") as file:
        for number in range(images):
            regions = [
                {
                    "region_id": number * REGIONS + which,
                    "width": 90,
                    "height": 80,
                    "image_id": number,
                    "phrase": f"the clock number {which} on the wall is green",
                    "y": 57,
                    "x": 421,
                }
                for which in range(REGIONS)
            ]
            file.write(("[" if number == 0 else ",") + json.dumps({"regions": regions, "id": number}))
        file.write("]")


def read_regions(folder: Path, rows: int) -> Callable[[], object]:
    """Read, index and open the set, and draw a row."""
    import datasets

    from minigpt4.training.data.sets.referring import REFERRING_SETS
    from minigpt4.training.data.sets.set_rows import SetRows

    def work() -> None:
        datasets.config.HF_DATASETS_CACHE = folder / "cache"
        opened = SetRows("refvg", REFERRING_SETS["refvg"], folder)
        if len(opened) != rows:
            raise ValueError(f"{len(opened)} of {rows} rows can be used")
        opened.draw(rows - 1, seed=0, epoch=0)

    return work


def open_again(folder: Path, rows: int) -> Callable[[], object]:
    """Open the set when it has been indexed, and draw a row."""
    work = read_regions(folder, rows)
    work()
    return work


def make_shards(folder: Path, shards: int) -> None:
    """One shard under many names."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "JPEG")
    with tarfile.open(folder / "one.tar", "w") as tar:
        for number in range(4):
            for ending, content in (("jpg", picture.getvalue()), ("txt", b"a grey square")):
                member = tarfile.TarInfo(f"{number}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    for number in range(shards):
        (folder / f"{number:06}.tar").symlink_to("one.tar")


def start_mixture(folder: Path, shards: int) -> Callable[[], object]:
    """Start, read four batches, stop, and go on from there."""
    from minigpt4.training.data.mixtures import MixedBatches, MixedSet, Mixture
    from minigpt4.training.data.shards import Shards

    def mixture() -> Mixture:
        return Mixture([MixedSet("shards", Shards(f"{folder}/{{000000..{shards - 1:06}}}.tar"))], buffer=8)

    def work() -> None:
        batches = MixedBatches(mixture(), batch_size=2, seed=0)
        list(islice(batches, 4))
        state = batches.state_dict()
        again = MixedBatches(mixture(), batch_size=2, seed=0)
        again.load_state_dict(state)
        next(iter(again))

    return work


def make_features(folder: Path, images: int) -> None:
    from safetensors.torch import save_file

    from minigpt4.training.data.features import NOTE, SHARD_IMAGES

    (folder / NOTE).write_text("{}")
    for start in range(0, images, SHARD_IMAGES):
        names = range(start, min(start + SHARD_IMAGES, images))
        save_file({f"{number:032x}": torch.zeros(1) for number in names}, folder / f"{start}.safetensors")


def look_up(folder: Path, images: int) -> Callable[[], object]:
    """Open the cache, check who made it, and ask for each image."""
    from minigpt4.training.data.features import FeatureCache

    def work() -> None:
        cache = FeatureCache(folder)
        cache.refuse_if_stale({})
        if not all(f"{number:032x}" in cache for number in range(images)):
            raise ValueError("an image is missing")

    return work


def make_nothing(folder: Path, size: int) -> None:
    """What needs no files."""


def hold_chat(folder: Path, turns: int) -> Callable[[], object]:
    """A chat about a picture, each turn with 16 words and an answer of 8 tokens, which is read as while a user reads it."""
    from minigpt4.inference.conversation import Conversation

    conversation = Conversation(speaking_model({**models.TEXT, "max_position_embeddings": 4096}), models.processor())
    conversation.show(Image.open(io.BytesIO(models.picture(0))))

    def work() -> None:
        for question in questions(turns):
            list(conversation.stream(question, max_new_tokens=8))
            conversation.finish_reading()

    return work


def answer_batch(folder: Path, pictures: int) -> Callable[[], object]:
    """A question about each picture, all in one batch, with answers of 16 tokens."""
    model = models.ours().requires_grad_(False)
    model.generation_config.eos_token_id = None
    given = inputs_of(models.rows(pictures, 16, 16))
    return lambda: model.generate(**given, max_new_tokens=16, do_sample=False)


def train_batch(folder: Path, rows: int) -> Callable[[], object]:
    """A step of stage 1, without an update."""
    from minigpt4.training import PackingCollator, load_recipe, use_packed_attention
    from minigpt4.training.masks import apply_mask

    model = models.ours()
    apply_mask(model, "projector")
    use_packed_attention(model.train())
    sequence = load_recipe("stage1", bf16=False, use_cpu=True)[1]
    numbered = [{**row, "row": number, "epoch": 0} for number, row in enumerate(models.rows(rows, 16, 16))]
    batch = dict(PackingCollator(models.processor(), sequence)(numbered))
    del batch["rows"]
    return lambda: model(**batch, skip_logits=True).loss.backward()


LAYER = {"hidden_size": 1024, "intermediate_size": 2752, "num_attention_heads": 8}  # 12.6 million weights
SMALL_TOWER = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}


def make_published(folder: Path, layers: int) -> None:
    write_files(
        "v2",
        folder,
        pieces=320,
        text={**LAYER, "num_hidden_layers": layers},
        config={"vision_config": SMALL_TOWER},
    )


def convert_published(folder: Path, layers: int) -> Callable[[], object]:
    """Convert them, with the LoRA merged."""
    from minigpt4.conversion import convert

    return lambda: convert("v2", **written_files(folder), output=folder / "whole", quiet=True)


GROWTHS = [
    Growth(
        "reading, indexing and opening a set", "rows", (10**4, 10**5, 10**6, 5 * 10**6), make_regions, read_regions
    ),
    Growth("opening a set that is indexed", "indexed rows", (10**4, 10**5, 10**6), make_regions, open_again),
    Growth("starting and resuming a mixture", "shards", (10**3, 10**4, 10**5), make_shards, start_mixture),
    Growth("opening the feature cache, looking up all", "images", (10**4, 10**5, 10**6), make_features, look_up),
    Growth("a chat, all of its turns", "turns", (1, 4, 16, 64), make_nothing, hold_chat, warm=1),
    Growth("answering a batch", "pictures", (1, 4, 16, 64), make_nothing, answer_batch, warm=1),
    Growth("training on a batch", "rows of a batch", (1, 4, 16, 64), make_nothing, train_batch, warm=1),
    Growth("converting v2", "layers", (1, 4, 16, 64), make_published, convert_published, warm=1),
]
