"""The one interface for rows: whatever a user has is read through it in the same way."""

import re
from itertools import islice

import datasets
import pytest
from helpers import ROOT
from torch.utils.data import IterableDataset

from minigpt4.training import DataArguments
from minigpt4.training.data.drawn import DrawnScenes
from minigpt4.training.data.mixtures import MixedSet, Mixture
from minigpt4.training.data.readers import Share
from minigpt4.training.data.rows import as_rows
from minigpt4.training.data.shards import Shards
from minigpt4.training.data.sources import load_rows
from minigpt4.training.row import number_row, replace_images, row_images, row_name, row_texts


TEXTS = [f"0{number}" for number in range(6)]


class OwnStream(IterableDataset):
    def __iter__(self):
        return ({"text": text} for text in TEXTS)


@pytest.fixture
def kinds(write_shards, own_folder):
    listed = [{"text": text} for text in TEXTS]
    saved = datasets.Dataset.from_list(listed)
    return {
        "list": (listed, 6),
        "datasets": (saved, 6),
        "stream": (saved.to_iterable_dataset(num_shards=3), None),
        "stream of torch": (OwnStream(), None),
        "shards": (Shards(write_shards("kinds", shards=3, samples=2)), None),
        "drawn": (DrawnScenes("rows", 6, detailed=False), 6),
        "folder": (load_rows(str(own_folder), DataArguments(), "train"), 8),
        "mixture": (Mixture([MixedSet("one", listed[:4]), MixedSet("two", listed[4:])], max_broken=0.0), None),
    }


KINDS = ["list", "datasets", "stream", "stream of torch", "shards", "drawn", "folder", "mixture"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_length_or_none_and_is_shared_out_whole(kinds, kind):
    rows, length = as_rows(kinds[kind][0]), kinds[kind][1]
    assert rows.length == length
    assert as_rows(rows) is rows
    whole = [row["text"] for row in rows]
    assert len(whole) == (length or 6)
    parts = [[row["text"] for row in rows.each_once(Share(rank, 2, rank, 2))] for rank in range(2)]
    assert sorted(parts[0] + parts[1]) == sorted(whole)
    assert rows.counts_lost == (kind == "mixture")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "stream of torch"])
def test_every_kind_numbers_its_rows(kinds, kind):
    first = list(islice(as_rows(kinds[kind][0]).preview(), 2))
    if kind == "mixture":  # one row for each batch, of the set that is drawn
        assert {row["source"].split(",")[0] for row in first} <= {"one", "two"}
    else:
        assert [row["row"] for row in first] == [0, 1]
    assert [row["epoch"] for row in first] == [0, 0]


@pytest.mark.parametrize("kind", ["list", "datasets", "stream", "shards", "drawn", "folder"])
def test_what_is_open_goes_on_from_a_state(kinds, kind):
    def opened():
        return as_rows(kinds[kind][0]).open("set", 0, seed=3, share=Share(0, 1, 0, 1), buffer=2)

    reader = opened()
    for _ in range(3):
        reader.next()
    again = opened()
    again.load_state_dict(reader.state_dict())
    assert [again.next()["source"] for _ in range(5)] == [reader.next()["source"] for _ in range(5)]


@pytest.mark.parametrize("kind", ["stream of torch", "mixture"])
def test_what_cannot_be_part_of_a_mixture(kinds, kind):
    with pytest.raises(ValueError, match="outer cannot be part of a mixture: use rows with a length"):
        Mixture([MixedSet("outer", kinds[kind][0])]).sets[0].rows.open("outer", 0, 0, Share(0, 1, 0, 1), 1)


def test_the_keys_of_a_row():
    row = number_row({"image": {"path": "a.png", "bytes": None}, "text": "red"}, 3, epoch=2, source="set, row 3")
    assert (row_name(row), row_images(row), row_texts(row)) == ("Row 3", ["a.png"], ["red"])
    assert number_row({"text": "", "source": "its own"}, 0, source="set, row 0")["source"] == "its own"
    assert replace_images(row, ["pixels"])["image"] == "pixels"
    parts = [{"type": "image"}, {"type": "text", "text": "Which?"}]
    chat = {
        "images": ["a", "b"],
        "messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": "A"}],
    }
    assert (row_name(chat), row_images(chat), row_texts(chat)) == ("A row", ["a", "b"], ["Which?", "A"])


def test_kinds_of_rows_are_told_apart_in_one_place():
    kinds = re.compile(r"hasattr\(.*__len__|isinstance\(.*(Mixture|Shards|SetRows|IterableDataset)")
    files = [file for file in (ROOT / "training").rglob("*.py") if kinds.search(file.read_text(encoding="utf-8"))]
    assert files == [ROOT / "training/data/rows.py"]
