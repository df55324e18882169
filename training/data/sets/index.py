"""An index of a set: its annotation files are read once, into a table on disk that all processes share."""

import json
import random
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import datasets
from datasets.fingerprint import Hasher

from minigpt4.checkpoints.strangers import OutsideError, inside

from .annotations import check_fields
from .published_set import PublishedSet


IMAGE_MARK = "<ImageHere>"
# `where` a row stands, the paths of its `images`, its `fields` as JSON; or why it is `left_out`, or its `problem`.
FEATURES = datasets.Features(
    {
        "where": datasets.Value("string"),
        "images": datasets.List(datasets.Value("string")),
        "fields": datasets.Value("string"),
        "left_out": datasets.Value("string"),
        "problem": datasets.Value("string"),
    }
)


def read_index(published: PublishedSet, root: Path) -> datasets.Dataset:
    """
    The index of a set, from the cache of `datasets` unless a file has changed.

    Args:
        published (`PublishedSet`): what is known of the set.
        root (`Path`): the folder of all sets.

    Returns:
        `datasets.Dataset`: one row for each row of the annotations, with the columns of `FEATURES`.

    Raises:
        FileNotFoundError: an annotation file is not there.
        OutsideError: an image path leaves its folder.
        ValueError: an annotation file cannot be read.
    """
    files = tuple(root / file for file in published.files)
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(f"There is no {file}: see docs/data.md for where the files of each set belong.")
    states = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    readers = [file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))]
    try:
        return datasets.Dataset.from_generator(
            _index,
            features=FEATURES,
            gen_kwargs={"published": published, "files": files},
            fingerprint=Hasher.hash((version("minigpt4"), readers, published.files, published.task, states)),
        )
    except datasets.exceptions.DatasetGenerationError as error:
        raise error.__cause__ or error from None


def _index(published: PublishedSet, files: tuple[Path, ...]) -> Iterator[dict]:
    where = None
    for where, row in published.read(*files):
        problem = check_fields(row, published.fields)
        if problem is None and (reason := published.left_out(row)):
            yield _entry(where, left_out=reason)
            continue
        images: list[str] = []
        fields = "{}"
        if problem is None:
            try:
                images = [inside(path) for path in published.image_paths(row)]
                published.make(row, random.Random(0))
                fields = json.dumps({name: row[name] for name in published.fields})
                problem = f"has {IMAGE_MARK} in its text" if IMAGE_MARK in fields else None
            except OutsideError as error:
                raise OutsideError(f"{files[0].parent / where} {error}") from None
            except ValueError as error:
                problem = str(error)
            except Exception as error:  # rows of strangers: whatever shape they have
                problem = f"is not as published ({type(error).__name__}: {error})"
        if problem is None:
            yield _entry(where, images, fields)
        else:
            yield _entry(where, problem=problem)
    if where is None:
        raise ValueError(f"{files[0]} has no rows.")


def _entry(where: str, images: list[str] | None = None, fields: str = "{}", left_out=None, problem=None) -> dict:
    return {"where": where, "images": images or [], "fields": fields, "left_out": left_out, "problem": problem}
