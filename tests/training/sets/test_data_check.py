"""`minigpt4 data check` as it is typed."""

import json
import re

import pytest
from PIL import Image

from minigpt4.cli import run


@pytest.fixture
def check(tiny_checkpoint, published, capsys):
    def call(*arguments) -> tuple[int, str, str]:
        settings = (f"model_name_or_path={tiny_checkpoint}", f"data_root={published}", "bf16=false")
        code = run(["data", "check", *map(str, arguments), *(text for each in settings for text in ("--set", each))])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def table(out: str) -> dict[str, list[str]]:
    lines = [re.split(r"\s*│\s*", line.strip("│ ")) for line in out.splitlines() if line.startswith("│")]
    return {name: counts for name, *counts in lines}


def test_all_sets_of_stage_3(check, published, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, err = check("v2-stage3", "--show", 1, "--output", tmp_path / "drawn")
    assert code == 0
    # rows, left out, missing, unreadable, broken, cut
    counts = table(out)
    assert len(counts) == 22
    assert counts["gqa"] == ["1", "0", "0", "0", "0", "0"]
    assert counts["coco_caption"] == ["1", "1", "0", "0", "0", "0"]
    assert "1 left out: image not of train2014" in out
    assert "[detection] A man  [/INST]⟦ <p>A man</p> {<10><20><30><40>}<delim>{<1><2><3><4>}</s>⟧" in out
    assert f"The pictures are in {tmp_path / 'drawn'}" in err
    assert len(list((tmp_path / "drawn").glob("*/0.jpg"))) == 21  # unnatural_instruction has none
    [line] = map(json.loads, (tmp_path / "drawn/refcoco/metadata.jsonl").read_text().splitlines())
    assert line["text"].endswith("\n{<10><10><60><55>}")
    drawn = Image.open(tmp_path / "drawn/refcoco/0.jpg")
    assert drawn.size == (200, 100)

    def differs(x, y):  # from the red that the picture is filled with
        red, green, blue = drawn.getpixel((x, y))
        return red < 240 or green > 40 or blue > 40

    assert differs(20, 30)  # the left edge of the box
    assert not differs(70, 30)  # inside it
    assert not differs(150, 80)


def test_what_cannot_be_used_is_counted_and_named(check, published, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    (published / "gqa/images/0.jpg").write_text("no picture")
    (published / "textcaps/train_images/t0.jpg").unlink()
    (published / "okvqa/okvqa_train.json").write_text("{")
    question = {"image": "1.jpg", "question": "which?", "answer": "word " * 40}
    rows = json.loads((published / "gqa/train_balanced_questions.json").read_text())
    (published / "gqa/train_balanced_questions.json").write_text(json.dumps([*rows, question, {}]))
    Image.new("RGB", (8, 8)).save(published / "gqa/images/1.jpg")
    names = "[{name: gqa}, {name: textcaps_caption}, {name: ok_vqa}]"
    code, out, err = check("v2-stage3", "--set", f"data={names}", "--set", "max_length=160")
    assert code == 1
    assert err.count("minigpt4: ") == 0
    counts = table(out)
    assert counts["gqa"] == ["1", "0", "0", "1", "1", "1"]
    assert counts["textcaps_caption"] == ["0", "0", "1", "0", "0", "0"]
    assert counts["ok_vqa"] == ["-"] * 6
    for said in (
        "1 unreadable, first: gqa: train_balanced_questions.json, row 1: ",
        "0.jpg is not an image in a format that Pillow reads.",
        "1 broken, first: train_balanced_questions.json, row 3 has no 'image', only nothing",
        "1 cut, first: gqa: train_balanced_questions.json, row 2: ",
        "66.7% of the rows cannot be used, and max_broken allows 1.0%.",
        "1 missing, first: TextCaps_0.1_train.json, row 1 names t0.jpg, but there is no",
        "No row can be used.",
        "okvqa_train.json is no JSON",
    ):
        assert said in out, said


def test_a_limit_of_its_own(check, published):
    rows = json.loads((published / "gqa/train_balanced_questions.json").read_text())
    missing = {**rows[0], "image": "gone.jpg"}
    (published / "gqa/train_balanced_questions.json").write_text(json.dumps([*rows, missing]))
    assert check("v2-stage3", "--set", "data=[{name: gqa, max_broken: 0.5}]")[0] == 0
    assert check("v2-stage3", "--set", "data=[{name: gqa, max_broken: 0.4}]")[0] == 1
    assert check("v2-stage3", "--set", "data=gqa", "--set", "max_broken=0.5")[0] == 0
    assert check("v2-stage3", "--set", "data=gqa")[0] == 1
    code, out, _ = check("v2-stage3", "--set", "data=[gqa]")
    assert code == 1
    assert "data lists 'gqa': each set has a name" in out


def test_other_data(check, own_folder, write_shards, write_tar, jpeg):
    code, out, _ = check("stage2", "--set", f"data={own_folder}")
    assert code == 0
    assert " ###Assistant: ⟦ red###⟧" in out
    code, out, _ = check("stage1", "--set", f"data={write_shards('laion')}")
    assert code == 0
    assert table(out).popitem()[1] == ["24", "0", "0", "0", "0", "0"]
    members = [("a.jpg", jpeg()), ("b.jpg", jpeg()), ("b.txt", b"b"), ("c.jpg", jpeg()[:300]), ("c.txt", b"c")]
    code, out, _ = check("stage1", "--set", f"data={write_tar('one/00000.tar', members)}")
    assert code == 1
    assert table(out).popitem()[1] == ["1", "0", "0", "1", "1", "0"]
    assert "a: missing caption" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["stage9"], 1, "There is no recipe 'stage9'"),
        (["stage2", "--show", 2], 2, "--show N draws into --output FOLDER"),
        (["stage2", "--show", 2, "--output", "."], 1, ". exists: name a new folder"),
    ],
)
def test_mistakes_are_one_line(check, arguments, code, message):
    got, out, err = check(*arguments)
    assert got == code
    assert out == ""
    [line] = [line for line in err.splitlines() if line.startswith("minigpt4: ")]
    assert message in line
