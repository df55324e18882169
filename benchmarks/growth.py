"""How time and memory grow with the work: `python -m benchmarks.growth [--largest 1000000] [--plot FILE] [WORD ...]`.

Each size is measured in a process of its own. Prints one JSON line per size, and a Markdown table with the exponents: 1 is as
fast as the work grows, 0 does not grow with it.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import torch
from PIL import Image

from .lines import draw_lines
from .measuring import peak


@dataclass(frozen=True)
class Growth:
    """
    Args:
        name (`str`): what is done.
        unit (`str`): what there is ever more of.
        sizes (`tuple[int, ...]`): how much.
        prepare (`Callable`): makes files of a size in a folder.
        work (`Callable`): what is measured, with that folder and size.
    """

    name: str
    unit: str
    sizes: tuple[int, ...]
    prepare: Callable[[Path, int], None]
    work: Callable[[Path, int], object]


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


def read_regions(folder: Path, rows: int) -> None:
    """Read, index and open the set, and draw a row."""
    import datasets

    from minigpt4.training.data.sets.referring import REFERRING_SETS
    from minigpt4.training.data.sets.set_rows import SetRows

    datasets.config.HF_DATASETS_CACHE = folder / "cache"
    opened = SetRows("refvg", REFERRING_SETS["refvg"], folder)
    if len(opened) != rows:
        raise ValueError(f"{len(opened)} of {rows} rows can be used")
    opened.draw(rows - 1, seed=0, epoch=0)


def make_shards(folder: Path, shards: int) -> None:
    """One shard under many names."""
    import io
    import tarfile

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


def start_mixture(folder: Path, shards: int) -> None:
    """Start, read four batches, stop, and go on from there."""
    from minigpt4.training.data.mixtures import MixedBatches, MixedSet, Mixture
    from minigpt4.training.data.shards import Shards

    def mixture() -> Mixture:
        return Mixture([MixedSet("shards", Shards(f"{folder}/{{000000..{shards - 1:06}}}.tar"))], buffer=8)

    batches = MixedBatches(mixture(), batch_size=2, seed=0)
    list(islice(batches, 4))
    state = batches.state_dict()
    again = MixedBatches(mixture(), batch_size=2, seed=0)
    again.load_state_dict(state)
    next(iter(again))


def make_features(folder: Path, images: int) -> None:
    from safetensors.torch import save_file

    from minigpt4.training.data.features import NOTE, SHARD_IMAGES

    (folder / NOTE).write_text("{}")
    for start in range(0, images, SHARD_IMAGES):
        names = range(start, min(start + SHARD_IMAGES, images))
        save_file({f"{number:032x}": torch.zeros(1) for number in names}, folder / f"{start}.safetensors")


def look_up(folder: Path, images: int) -> None:
    """Open the cache, check who made it, and ask for each image."""
    from minigpt4.training.data.features import FeatureCache

    cache = FeatureCache(folder)
    cache.refuse_if_stale({})
    if not all(f"{number:032x}" in cache for number in range(images)):
        raise ValueError("an image is missing")


GROWTHS = [
    Growth(
        "reading, indexing and opening a set", "rows", (10**4, 10**5, 10**6, 5 * 10**6), make_regions, read_regions
    ),
    Growth("starting and resuming a mixture", "shards", (10**3, 10**4, 10**5), make_shards, start_mixture),
    Growth("opening the feature cache, looking up all", "images", (10**4, 10**5, 10**6), make_features, look_up),
]


def measured(growth: Growth, size: int) -> dict[str, float]:
    """Seconds, and MiB at the peak above what the libraries take."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        growth.prepare(folder, size)
        context = get_context("spawn")
        queue = context.Queue()
        process = context.Process(target=_measure, args=(growth.work, folder, size, queue))
        process.start()
        process.join()
        if process.exitcode:
            raise RuntimeError(f"{growth.name} with {size} {growth.unit} ended with exit code {process.exitcode}.")
        return queue.get()


def _measure(work: Callable[[Path, int], object], folder: Path, size: int, queue) -> None:
    small = Path(tempfile.mkdtemp(dir=folder))
    prepare = next(growth.prepare for growth in GROWTHS if growth.work is work)
    prepare(small, 100)
    work(small, 100)  # imports, and what is done once
    before, start, began = peak(), time.perf_counter(), time.process_time()
    work(folder, size)
    queue.put(
        {
            "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - began,
            "mib": (peak() - before) / 2**20,
        }
    )


def exponent(sizes: list[int], costs: list[float]) -> float:
    """Of the power of the size that the costs follow: the slope of the line through their logarithms."""
    xs, ys = [math.log(size) for size in sizes], [math.log(max(cost, 1e-9)) for cost in costs]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)


def table(results: dict[str, tuple[str, dict[int, dict[str, float]]]]) -> str:
    lines = ["| work | size | CPU seconds | MiB | exponent of time | of memory |", "|---|---|---|---|---|---|"]
    for name, (unit, by_size) in results.items():
        sizes = list(by_size)
        powers = ["", ""]
        if len(sizes) > 1:
            # Small sizes measure what is done once.
            last = sizes[-2:]
            powers = [
                f"{exponent(last, [by_size[size][what] for size in last]):.2f}" for what in ("cpu_seconds", "mib")
            ]
        for size in sizes:
            ends = powers if size == sizes[-1] else ["", ""]
            cost = by_size[size]
            lines.append(
                f"| {name} | {size:,} {unit} | {cost['cpu_seconds']:.3g} | {cost['mib']:.0f} | {ends[0]} | {ends[1]} |"
            )
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--largest", type=int, default=10**6, help="Sizes above it are left out.")
    parser.add_argument("--plot", type=Path, help="PNG to draw.")
    parser.add_argument("words", nargs="*", help="Only what has one of them in its name.")
    asked = parser.parse_args(arguments)
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    results: dict[str, tuple[str, dict[int, dict[str, float]]]] = {}
    for growth in GROWTHS:
        if asked.words and not any(word in growth.name for word in asked.words):
            continue
        by_size = results.setdefault(growth.name, (growth.unit, {}))[1]
        for size in growth.sizes:
            if size <= asked.largest:
                by_size[size] = measured(growth, size)
                line = {"work": growth.name, "size": size, **{k: round(v, 3) for k, v in by_size[size].items()}}
                print(json.dumps(line), flush=True)
    print(table(results))
    if asked.plot:
        seconds = partial(_line, what="cpu_seconds")
        draw_lines({name: seconds(by_size) for name, (_, by_size) in results.items()}, "CPU seconds", asked.plot)


def _line(by_size: dict[int, dict[str, float]], what: str) -> list[tuple[float, float]]:
    return [(size, cost[what]) for size, cost in by_size.items()]


if __name__ == "__main__":
    main(sys.argv[1:])
