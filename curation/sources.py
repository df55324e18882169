"""Where the pictures come from: a seeded random sample of a folder, of webdataset shards, or of a data set."""

import hashlib
import heapq
import shutil
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from minigpt4.checkpoints.shard_names import expand_shards
from minigpt4.checkpoints.writing import unfinished_folder
from minigpt4.processing.image_formats import extensions

from .recipe import Source


IMAGES = "images"  # folder for pictures that are not files of a folder already
IN_SHARDS = ("jpg", "jpeg", "png", "webp")


def root_of(source: Source, output: Path) -> Path:
    """The folder that the pictures are in; none outside of it is ever read."""
    return Path(source.images) if isinstance(source.images, str) and _is_pictures(source.images) else output / IMAGES


def picture_path(root: Path, name: str) -> Path:
    """
    Where a picture is.

    Raises:
        ValueError: outside of `root`, by its name or through a link.
    """
    path = root / name
    if not path.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"the picture {name!r} is outside of {root}: it is not read.")
    return path


def draw_sample(source: Source, output: Path) -> list[dict[str, str]]:
    """
    A random sample of the pictures; the same for the same seed. Pictures that are not files yet are saved in
    `output/images`.

    Returns:
        A row for each: its `id`, its `image` under [`root_of`], and its name in the `source`.

    Raises:
        FileNotFoundError: there are no such pictures.
        ValueError: a picture is a link that leaves the folder, or the data cannot be read.
    """
    if isinstance(source.images, str) and _is_pictures(source.images):
        root = Path(source.images)
        names = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.suffix.lower() in extensions()]
        if not names:
            raise FileNotFoundError(f"{root} has no pictures.")
        drawn = sorted(heapq.nsmallest(source.sample or len(names), names, key=lambda name: _rank(source.seed, name)))
        for name in drawn:
            picture_path(root, name)
        return [{"id": str(number), "image": name, "source": name} for number, name in enumerate(drawn, start=1)]
    with unfinished_folder_again(output / IMAGES) as folder:
        drawn_files = list(_drawn(_samples(source), source, folder))
    return [{"id": file.stem, "image": file.name, "source": name} for name, file in drawn_files]


def unfinished_folder_again(folder: Path):
    """Of a killed run there may be a whole folder without its table: it is made again."""
    shutil.rmtree(folder, ignore_errors=True)
    return unfinished_folder(folder)


def _is_pictures(name: str) -> bool:
    folder = Path(name)
    return folder.is_dir() and not any(
        (folder / file).is_file() for file in ("dataset_info.json", "dataset_dict.json")
    )


def _rank(seed: int, name: str) -> bytes:
    """A random order that neither the order of the files nor the number of processes can change."""
    return hashlib.sha256(f"{seed} {name}".encode("utf-8", "surrogateescape")).digest()


def _drawn(samples: Iterable[tuple[str, bytes, str]], source: Source, folder: Path) -> Iterator[tuple[str, Path]]:
    """The samples of lowest rank, each as a file: of a stream no more than those are kept at any time."""
    kept: list[tuple[int, int, str, Path]] = []
    for number, (name, content, suffix) in enumerate(samples):
        rank = -int.from_bytes(_rank(source.seed, name))
        if source.sample is not None and len(kept) == source.sample and rank < kept[0][0]:
            continue
        file = folder / f"{number}.sample{suffix}"
        file.write_bytes(content)
        heapq.heappush(kept, (rank, number, name, file))
        if source.sample is not None and len(kept) > source.sample:
            heapq.heappop(kept)[-1].unlink()
    if not kept:
        raise FileNotFoundError(f"{source.images} has no pictures.")
    for name, (_, _, original, file) in zip(map(str, count(1)), sorted(kept, key=lambda one: one[1]), strict=False):
        yield original, file.rename(folder / f"{name}{file.suffix}")


def _samples(source: Source) -> Iterator[tuple[str, bytes, str]]:
    """Name, bytes and suffix of each picture."""
    import datasets

    try:
        rows, column = _open(source, datasets)
        for number, row in enumerate(rows.cast_column(column, datasets.Image(decode=False))):
            image: dict[str, Any] = row[column] or {}
            name = row.get("__key__", str(number))
            content = image.get("bytes")
            if content is None and image.get("path"):
                content = Path(image["path"]).read_bytes()
            # Without content it is a row all the same, whose picture is damaged.
            yield name, content or b"", Path(image.get("path") or "").suffix or ".jpg"
    except (ValueError, FileNotFoundError):
        raise
    except Exception as error:  # whatever a reader of tar files, parquet or the network raises
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{source.images} cannot be read: {reason}") from error


def _open(source: Source, datasets: Any) -> tuple[Any, str]:
    names = [source.images] if isinstance(source.images, str) else source.images
    if all(name.endswith(".tar") for name in names):
        names = [shard for name in names for shard in expand_shards(name)]
        if not names:
            raise FileNotFoundError(f"{source.images} has no shards.")
        rows = datasets.load_dataset("webdataset", data_files={"train": names}, split="train", streaming=True)
        columns = rows.column_names or list(next(iter(rows)))
        found = next((name for name in IN_SHARDS if name in columns), None)
        if found is None:
            raise ValueError(f"{names[0]} has no pictures: its samples have {', '.join(columns)}.")
        return rows, found
    if len(names) > 1:
        raise ValueError(f"source.images may be a list of .tar files only (got {', '.join(names)}).")
    if Path(names[0]).is_dir():
        rows = datasets.load_from_disk(names[0])
        rows = rows[source.split] if isinstance(rows, dict) else rows
    elif Path(names[0]).exists():
        raise ValueError(f"{names[0]} is a file: give a folder of pictures, .tar files, or the name of a data set.")
    else:
        rows = datasets.load_dataset(names[0], source.config, split=source.split, streaming=True)
    columns = rows.column_names or list(next(iter(rows)))
    if source.column not in columns:
        raise ValueError(
            f"{names[0]} has no column {source.column!r}: it has {', '.join(columns)}; set source.column."
        )
    return rows, source.column
