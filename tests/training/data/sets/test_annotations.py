"""Annotation files of millions of rows are read row by row."""

import json
import tracemalloc

import pytest

from minigpt4.training.data.sets.annotations import read_list


def region(number: int) -> dict:
    return {"id": number, "phrase": f"Größe {number} \"'\\\u2028", "at": [number, 0.5, -1e-7], "more": {"of": None}}


def test_rows_are_those_of_the_whole_file(tmp_path):
    path = tmp_path / "regions.json"
    rows = [region(number) for number in range(5)] + [2**60, [], "text", None, True]
    path.write_text(f"\n  {json.dumps(rows, ensure_ascii=False)}", encoding="utf-8")
    assert (
        list(read_list(path, path))
        == [
            *((f"regions.json, row {number}", row) for number, row in enumerate(rows, start=1)),
        ]
        * 2
    )


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "regions.json"
    path.write_text(json.dumps([region(number) for number in range(20_000)]), encoding="utf-8")
    next(read_list(path))  # imports
    tracemalloc.start()
    assert sum(1 for _ in read_list(path)) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size  # of the whole content it would be several times that


def test_damage_is_named_when_it_is_reached(tmp_path):
    path = tmp_path / "regions.json"
    path.write_text(json.dumps([region(1), region(2)])[:-10], encoding="utf-8")
    rows = read_list(path)
    assert next(rows)[1] == region(1)
    with pytest.raises(ValueError, match=r"regions\.json is not valid JSON: "):
        list(rows)
