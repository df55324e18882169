"""`minigpt4 describe`: one picture, many pictures, folders."""

import json
import os
import shutil
import subprocess
import sys
from threading import Event

import pytest
from PIL import Image

from minigpt4.commands import describe as describing


@pytest.fixture
def describe(command, tiny_checkpoint):
    def call(*arguments):
        return command("describe", "--model", tiny_checkpoint, *arguments)

    return call


@pytest.fixture
def folder(tmp_path, picture):
    """Three pictures, one of them in a folder below, and a file that is none."""
    folder = tmp_path / "album"
    (folder / "below").mkdir(parents=True)
    for index, name in enumerate(("b.png", "a.JPG", "below/c.webp")):
        Image.new("RGB", (20, 30), (90 * index, 40, 200)).save(folder / name)
    for name in ("notes.txt", "film.mpg", ".hidden.png"):
        (folder / name).write_text("no picture")
    return folder


def test_one_picture(describe, picture):
    result = describe(picture)
    assert result.code == 0
    assert result.out.strip()
    assert "###" not in result.out


def test_streamed_answer_is_the_json_answer(describe, picture):
    record = json.loads(describe(picture, "--json").out)
    assert record["answer"] == describe(picture).out.strip()
    assert record["image"] == str(picture)


def test_checkpoint_that_searches_with_beams(command, tiny_checkpoint, picture, tmp_path):
    checkpoint = shutil.copytree(tiny_checkpoint, tmp_path / "beams")
    settings = json.loads((checkpoint / "generation_config.json").read_text(encoding="utf-8"))
    (checkpoint / "generation_config.json").write_text(json.dumps(settings | {"num_beams": 2}), encoding="utf-8")
    arguments = ("describe", picture, "--model", checkpoint)
    answer = json.loads(command(*arguments, "--json").out)["answer"]
    assert command(*arguments).out == f"{answer}\n"


def test_answer_that_is_cut_is_said_to_be(describe, picture):
    result = describe(picture, "--json", "--max-new-tokens", "2")
    assert json.loads(result.out)["finished"] is False
    assert "--max-new-tokens" in result.err
    assert "--max-new-tokens" in describe(picture, "--max-new-tokens", "2").err


def test_prompt_changes_the_answer(describe, picture):
    first, second = (describe(picture, "--prompt", text).out for text in ("What is this?", "Write a poem!"))
    assert first != second


def test_folder_in_the_order_of_names(describe, folder):
    result = describe(folder, "--json")
    names = [json.loads(line)["image"] for line in result.out.splitlines()]
    assert names == [str(folder / name) for name in ("a.JPG", "b.png", "below/c.webp")]
    assert result.code == 0
    assert "skipped 3 other" in result.err


def test_batches_do_not_change_the_answers(describe, folder):
    one, many = (describe(folder, "--json", "--batch-size", size) for size in (1, 3))
    assert one.out == many.out


def test_links_in_a_folder(describe, folder, picture, tmp_path):
    """Pictures behind them are described, once each; what leads nowhere is told."""
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(picture, tmp_path / "elsewhere" / "d.png")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "back").symlink_to(folder)
    (folder / "lost.png").symlink_to("nowhere.png")
    result = describe(folder, "--json", "--max-new-tokens", "1")
    records = [json.loads(line) for line in result.out.splitlines()]
    names = ["a.JPG", "b.png", "below/c.webp", "linked/d.png", "lost.png"]
    assert [record["image"] for record in records] == [str(folder / name) for name in names]
    assert [record["image"] for record in records if "error" in record] == [str(folder / "lost.png")]
    assert result.code == 1


def test_name_that_is_no_text_in_json(describe, picture):
    name = picture.rename(picture.parent / os.fsdecode(b"caf\xe9.png"))
    assert json.loads(describe(name, "--json").out)["image"] == str(name)


def test_name_that_is_no_text(picture, tiny_checkpoint, tmp_path):
    """In a process of its own, where the streams are those of a terminal in UTF-8."""
    name = os.fsdecode(b"caf\xe9.png")
    shutil.copy(picture, tmp_path / name)
    shutil.copy(picture, tmp_path / "last.png")
    command = [sys.executable, "-m", "minigpt4", "describe", ".", "--model", tiny_checkpoint, "--max-new-tokens", "1"]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert b"caf\\udce9.png" in done.stdout
    assert b"last.png" in done.stdout


def test_several_pictures_each_under_its_name(describe, folder, picture):
    lines = describe(picture, folder / "b.png").out.splitlines()
    assert lines[0] == str(picture)
    assert str(folder / "b.png") in lines


def test_broken_picture_does_not_stop_the_others(describe, folder):
    broken = folder / "aa.png"
    broken.write_bytes(b"broken")
    result = describe(folder, "--json")
    records = {record["image"]: record for record in map(json.loads, result.out.splitlines())}
    assert result.code == 1
    assert len(records) == 4
    assert [name for name, record in records.items() if "error" in record] == [str(broken)]
    assert sum(str(broken) in line for line in result.err.splitlines()) == 1


def test_missing_picture_does_not_stop_the_others(describe, picture, tmp_path):
    result = describe(tmp_path / "gone.png", picture)
    assert result.code == 1
    assert result.out.strip()
    assert "gone.png" in result.err


@pytest.mark.parametrize(
    ("mode", "name"),
    [("L", "a.png"), ("RGBA", "a.png"), ("P", "a.gif"), ("I;16", "a.png"), ("CMYK", "a.jpg"), ("1", "a.tiff")],
)
def test_any_format(describe, tmp_path, mode, name):
    Image.new(mode, (1, 1) if mode == "L" else (33, 21)).save(tmp_path / name)
    assert describe(tmp_path / name).code == 0


def test_file_name_that_looks_like_an_option(describe, picture, tmp_path, monkeypatch):
    shutil.copy(picture, tmp_path / "--debug")
    monkeypatch.chdir(tmp_path)
    result = describe("--json", "--", "--debug")
    assert json.loads(result.out)["image"] == "--debug"


def test_no_library_speaks(describe, folder):
    for name in ("notes.txt", "film.mpg", ".hidden.png"):
        (folder / name).unlink()
    result = describe(folder, "--json")
    assert all(line.endswith("raise it with --max-new-tokens") for line in result.err.splitlines())


def test_pictures_are_read_while_others_are_answered(monkeypatch):
    read = Event()

    def read_picture(name):
        if name == "broken":
            raise ValueError(name)
        if name == "second":
            read.set()
        return name

    monkeypatch.setattr(describing, "read_picture", read_picture)
    batches = describing._read_ahead([["first", "broken"], ["second"]], None)
    names, pictures = next(batches)
    assert (names, pictures[0], str(pictures[1])) == (["first", "broken"], "first", "broken")
    assert read.wait(60)  # nobody has asked for it yet
    assert list(batches) == [(["second"], ["second"])]
    assert list(describing._read_ahead([], None)) == []


def test_several_processes_need_json(describe, picture, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = describe(picture, picture)
    assert (result.code, result.out) == (1, "")
    assert "--json" in result.err
