"""The rows of a set: what can be trained on, and a count of what cannot."""

import json
import random
from collections import Counter
from copy import copy
from pathlib import Path

import pyarrow.compute as pc

from minigpt4.checkpoints.strangers import OutsideError
from minigpt4.processing.image_loading import AsStored
from minigpt4.training.data.rows import IndexedRows
from minigpt4.training.data.set_report import SetReport
from minigpt4.training.row import Row

from .images import ImageFolder
from .index import read_index
from .published_set import PublishedSet


class SetRows(IndexedRows):
    """
    The usable rows of a set, each made when it is asked for.

    Args:
        name (`str`): of the set.
        published (`PublishedSet`): what is known of it.
        root (`Path`): the folder of all sets.

    Raises:
        FileNotFoundError: an annotation file is not there.
        OutsideError: an image is outside its folder.
        ValueError: an annotation file cannot be read.
    """

    def __init__(self, name: str, published: PublishedSet, root: Path):
        self.name, self.published = name, published
        self.folder = ImageFolder(root / (published.images or "."))
        index = read_index(published, root)
        self.index, self.report = self._usable(index)

    def __len__(self) -> int:
        return len(self.index)

    def draw(self, index: int, seed: int, epoch: int) -> Row:
        """
        A row with its random choices made: the form of the instruction, the answer among several.

        They depend on the arguments and the place of the row in its file, and on nothing else.

        Returns:
            [`Row`]: `messages` and `images`, or `text` and `image`; `task`, and the `source`: the set, its file and row.
        """
        entry = self.index[index]
        rng = random.Random(f"{seed} {epoch} {self.name} {entry['where']}")
        row = self.published.make(json.loads(entry["fields"]), rng)
        images = [self.folder.path(image) for image in entry["images"]]
        if not self.published.upright:
            images = [AsStored(image) for image in images]
        shown: Row = {"images": images} if "messages" in row else {"image": images[0]}
        return {**row, **shown, "task": self.published.task, "source": f"{self.name}: {entry['where']}"}

    def take(self, count: int) -> "SetRows":
        """The first `count` rows."""
        rows = copy(self)
        rows.index = self.index.take(min(count, len(self)))
        return rows

    def _usable(self, index) -> tuple:
        table = index.with_format("arrow")[:]
        reasons = pc.value_counts(table["left_out"].drop_null())  # millions of rows have one of a few
        left_out = Counter({each["values"]: each["counts"] for each in reasons.to_pylist()})
        bad = table.filter(pc.is_valid(table["problem"]))
        broken = [f"{row['where']} {row['problem']}" for row in bad.to_pylist()]
        missing_images = self._missing(pc.unique(pc.list_flatten(table["images"])).to_pylist(), table)
        missing, keep = [], []
        usable = pc.and_(pc.is_null(table["left_out"]), pc.is_null(table["problem"])).to_numpy(zero_copy_only=False)
        candidates = usable.nonzero()[0]
        if not missing_images:
            keep = candidates
        else:
            images, places = table["images"], table["where"]
            for number in candidates:
                if gone := [image for image in images[number].as_py() if image in missing_images]:
                    missing.append(f"{places[number]} names {gone[0]}, but there is no {self.folder.path(gone[0])}")
                else:
                    keep.append(number)
        report = SetReport(len(index), left_out, missing, broken)
        return (index if len(keep) == len(index) else index.select(keep)), report

    def _missing(self, images: list[str], table) -> set[str]:
        """Which of the images are not there."""
        if not images:
            return set()
        missing = set()
        for image in images:
            try:
                if not self.folder.has(image):
                    missing.add(image)
            except OutsideError as error:
                which = pc.index(pc.list_flatten(table["images"]), image).as_py()
                number = pc.list_parent_indices(table["images"]).to_pylist()[which]
                raise OutsideError(f"{self.name}: {table['where'][number]} {error}") from None
        return missing
