"""Annotation files of millions of rows are read row by row."""

import json
import tracemalloc

import pytest

from minigpt4.checkpoints import strangers
from minigpt4.training.data.sets.annotations import read_list


def region(number: int) -> dict:
    return {"id": number, "phrase": f"Größe {number} \"'\\\u2028", "at": [number, 0.5, -1e-7], "more": {"of": None}}


def test_rows_are_those_of_the_whole_file(tmp_path):
    path = tmp_path / "regions.json"
    rows = [region(number) for number in range(5)] + [2**70, 1e400, [], "text", None, True]
    path.write_text(f"\n  {json.dumps(rows, ensure_ascii=False)}", encoding="utf-8")
    assert (
        list(read_list(path, path))
        == [
            *((f"regions.json, row {number}", row) for number, row in enumerate(rows, start=1)),
        ]
        * 2
    )


def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(strangers, "PIECE", 2**14)
    path = tmp_path / "regions.json"
    path.write_text(json.dumps([region(number) for number in range(20_000)]), encoding="utf-8")
    tracemalloc.start()
    assert sum(1 for _ in read_list(path)) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size / 8  # of the whole content it would be several times the size


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_pieces_may_end_anywhere(tmp_path, monkeypatch, piece):
    monkeypatch.setattr(strangers, "PIECE", piece)
    path = tmp_path / "regions.json"
    for rows in ([], [1234, -5.5e-3, "a, ]", [region(1)], {}], [region(2)] * 3):
        for indent in (None, 1):
            path.write_text(f"[ {json.dumps(rows, indent=indent)[1:]} \n", encoding="utf-8")
            assert [row for _, row in read_list(path)] == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps([region(1), region(2)])[:-10], r"\(row 2\)"),
        ("[1, 2", "it ends in row 2"),
        ("[1 2]", r"there is no comma behind it \(row 1\)"),
        ("[1,]", r"Expecting value \(row 2\)"),
        ("[1] 2", "there is more behind the list"),
        ("[" * 100_000, r"recursion .*\(row 1\)"),
        ("[1, nothing]", r"Expecting value \(row 2\)"),
    ],
    ids=["cut", "no end", "no comma", "no row", "more", "deep", "no value"],
)
def test_damage_is_named(tmp_path, content, message):
    path = tmp_path / "regions.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"regions\.json is not valid JSON: .*{message}"):
        list(read_list(path))
