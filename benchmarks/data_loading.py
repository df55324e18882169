"""Loading and preprocessing of pictures from shards, compared with plain `datasets` and Pillow.

Figures are for one reader in one process: a data loader with N workers on N free cores is N times as fast.

JPEG's draft mode, which decodes at a half, a quarter or an eighth of the size, is not used: for pictures at least twice
as large as needed it changes pixel values (`draft_mode` in the notes: the largest and the mean difference, of 255).
"""

import io
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import datasets
import numpy as np
import torch
from PIL import Image

from minigpt4 import MiniGPT4ImageProcessorPil
from minigpt4.training.data.mixtures import MixedBatches, MixedSet, Mixture
from minigpt4.training.data.shards import Shards

from .case import Case, Figures
from .measuring import interleave


SHARDS, SAMPLES, BATCH, BUFFER = 4, 64, 32, 128
SIZE = 224


def photograph(width: int, height: int, rng: np.random.Generator) -> bytes:
    """A JPEG of quality 90 that takes as long to decode as a photograph: soft areas with a little noise."""
    areas = Image.fromarray(rng.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8))
    pixels = np.asarray(areas.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    noisy = (pixels + rng.integers(-8, 9, pixels.shape)).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "JPEG", quality=90)
    return file.getvalue()


@contextmanager
def shards(width: int, height: int) -> Iterator[str]:
    """Shards of such pictures, each with a caption."""
    rng = np.random.default_rng(0)
    with TemporaryDirectory() as folder:
        for shard in range(SHARDS):
            with tarfile.open(Path(folder) / f"{shard:05}.tar", "w") as tar:
                for sample in range(SAMPLES):
                    parts = {"jpg": photograph(width, height, rng), "txt": b"a picture"}
                    for ending, content in parts.items():
                        member = tarfile.TarInfo(f"{sample:08}.{ending}")
                        member.size = len(content)
                        tar.addfile(member, io.BytesIO(content))
        yield f"{folder}/{{00000..{SHARDS - 1:05}}}.tar"


def ours(name: str) -> list[torch.Tensor]:
    """One pass as in training."""
    processor = MiniGPT4ImageProcessorPil(size={"height": SIZE, "width": SIZE})
    mixture = Mixture([MixedSet("shards", Shards(name))], buffer=BUFFER)
    batches = islice(MixedBatches(mixture, BATCH, seed=0), SHARDS * SAMPLES // BATCH)
    return [processor([row["image"] for row in batch.rows], return_tensors="pt")["pixel_values"] for batch in batches]


def peer(name: str) -> list[torch.Tensor]:
    """One pass with plain `datasets` and Pillow."""
    files = Shards(name).shards
    rows = datasets.load_dataset("webdataset", data_files=files, split="train", streaming=True)
    rows = rows.shuffle(seed=0, buffer_size=BUFFER)
    mean = np.array(MiniGPT4ImageProcessorPil.image_mean, np.float32)
    deviation = np.array(MiniGPT4ImageProcessorPil.image_std, np.float32)
    batches = []
    for batch in rows.iter(BATCH):
        images = [image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC) for image in batch["jpg"]]
        arrays = [(np.asarray(image, np.float32) / 255 - mean) / deviation for image in images]
        batches.append(torch.stack([torch.from_numpy(array.transpose(2, 0, 1)) for array in arrays]))
    return batches


def decoding_alone(name: str) -> float:
    """Seconds for what both must do: decode the pictures, which are in memory, and resize them. The best of three."""
    contents = []
    for shard in Shards(name).shards:
        with tarfile.open(shard) as tar:
            contents += [tar.extractfile(member).read() for member in tar if member.name.endswith(".jpg")]
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        for content in contents:
            Image.open(io.BytesIO(content)).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def draft_mode(content: bytes) -> dict:
    """The largest and the mean error of draft mode."""
    whole, draft = Image.open(io.BytesIO(content)), Image.open(io.BytesIO(content))
    draft.draft("RGB", (SIZE, SIZE))
    pixels = [np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC)).astype(int) for image in (whole, draft)]
    off = abs(pixels[0] - pixels[1])
    return {"max": int(off.max()), "mean": round(float(off.mean()), 3)}


def measure(width: int, height: int) -> Figures:
    with shards(width, height) as name:
        sums = [sorted(round(float(image.sum()), 1) for batch in way(name) for image in batch) for way in (ours, peer)]
        assert np.allclose(*sums, rtol=1e-4, atol=1), "The two ways give other pictures."
        seconds = interleave(partial(ours, name), partial(peer, name))
        alone = decoding_alone(name)
    rates = [SHARDS * SAMPLES / each for each in (*seconds, alone)]
    return Figures(*rates, notes={"draft_mode": draft_mode(photograph(width, height, np.random.default_rng(0)))})


CASES = [
    Case("loading, 256 x 256", "images/s per worker", 0.9, partial(measure, 256, 256)),
    Case("loading, 640 x 480", "images/s per worker", 0.9, partial(measure, 640, 480)),
]
