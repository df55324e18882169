"""Whole or not at all."""

import pytest

from minigpt4.checkpoints.writing import unfinished_file


def test_a_file_is_replaced_when_it_is_whole(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(UnicodeEncodeError), unfinished_file(file) as part:
        part.write_text("half \ud800", encoding="utf-8")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]
    with unfinished_file(file) as part:
        part.write_text("new")
        assert file.read_text() == "old"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "new")]
