"""`minigpt4 data check` as it is typed."""

import json
import re

import datasets
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
        "0.jpg is not an image",
        "1 broken, first: train_balanced_questions.json, row 3 has no 'image', only nothing",
        "1 cut, first: gqa: train_balanced_questions.json, row 2: ",
        "66.7% of the rows cannot be used, and max_broken allows 1.0%.",
        "1 missing, first: TextCaps_0.1_train.json, row 1 names t0.jpg, but there is no",
        "There are no usable rows.",
        "okvqa_train.json is not valid JSON",
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
    assert "Invalid entry in data, 'gqa': each set needs a name" in out


def test_a_folder_with_missing_files_is_looked_at_whole(check, own_folder):
    """Which training refuses at the first of them."""
    for name in ("1.png", "6.png"):
        (own_folder / name).unlink()
    (own_folder / "3.png").write_text("no picture")
    with (own_folder / "metadata.jsonl").open("a") as file:
        file.write('\n{"text": "no picture"}\n{"file_name": "0.png", "text": ""}')
    for settings in (
        [f"data={own_folder}"],
        [f"data=[{{name: {own_folder}}}]"],
        [f"data={own_folder}", "streaming=true"],
    ):
        code, out, _ = check("stage2", *(word for said in settings for word in ("--set", said)))
        assert code == 1
        assert table(out).popitem()[1] == ["5", "0", "2", "1", "2", "0"], settings
        assert "2 missing, first: " in out
        for row, name in ((2, "1.png"), (7, "6.png")):
            assert f"metadata.jsonl, row {row}, names '{name}', but there is no {own_folder / name}" in out
        assert "metadata.jsonl, row 9, has no image" in out
        assert "3.png is not an image" in out
        assert "50.0% of the rows cannot be used, and max_broken allows 1.0%." in out


def test_what_training_would_stop_at_fails_below_max_broken_too(check, own_folder):
    images = (own_folder / "1.png", own_folder / "2.png")
    arguments = ("stage2", "--set", "max_broken=0.5", "--set")
    images[0].unlink()
    code, out, _ = check(*arguments, f"data={own_folder}")
    assert (code, table(out).popitem()[1]) == (1, ["7", "0", "1", "0", "0", "0"])
    assert "1 of these rows stop training regardless of max_broken, first: " in out
    Image.new("RGB", (28, 28)).save(images[0])
    images[1].write_text("no picture")
    code, out, _ = check(*arguments, f"data={own_folder}")
    assert (code, table(out).popitem()[1]) == (1, ["7", "0", "0", "1", "0", "0"])
    assert check(*arguments, f"data=[{{name: {own_folder}}}]")[0] == 0  # a mixture passes over it


def test_a_folder_of_images_that_is_not_there(check, published):
    (published / "gqa/images").rename(published / "gqa/elsewhere")
    code, out, _ = check("v2-stage3", "--set", "data=[{name: gqa}, {name: ok_vqa}]")
    assert code == 1
    counts = table(out)
    assert counts == {"gqa": ["0", "0", "1", "0", "0", "0"], "ok_vqa": ["1", "0", "0", "0", "0", "0"]}
    assert f"row 1 names 0.jpg, but there is no {published / 'gqa/images/0.jpg'}" in out


def test_saved_paths_whose_files_have_gone(check, own_folder, tmp_path):
    rows = [{"image": str(own_folder / f"{number}.png"), "text": "red"} for number in range(7, 10)]
    datasets.Dataset.from_list(rows).save_to_disk(tmp_path / "saved")
    code, out, _ = check("stage2", "--set", f"data={tmp_path / 'saved'}")
    assert (code, table(out).popitem()[1]) == (1, ["1", "0", "2", "0", "0", "0"])
    assert f"there is no {own_folder / '9.png'}" in out


def test_shards_that_are_missing(check, write_shards, write_tar, jpeg, tmp_path):
    name = write_shards("laion", shards=20)
    (tmp_path / "laion/00003.tar").unlink()
    write_tar("laion/00005.tar", [("a.txt", b"a"), *(pair for n in range(9) for pair in picture(f"b{n}", jpeg()))])
    code, out, _ = check("stage1", "--set", f"data={name}", "--set", "max_broken=0.03")
    assert code == 1  # as training does: of shards 5 % are too many, of samples 2 % are not
    assert table(out).popitem()[1] == ["117", "0", "2", "0", "0", "0"]
    assert "00003.tar: missing shard" in out
    assert "00005.tar/a: missing image" in out
    assert "1 of 20 shards cannot be used, and max_broken allows 3.0%." in out


def picture(name: str, content: bytes) -> list[tuple[str, bytes]]:
    return [(f"{name}.jpg", content), (f"{name}.txt", name.encode())]


def test_many_are_named(check, published):
    file = published / "gqa/train_balanced_questions.json"
    [row] = json.loads(file.read_text())
    file.write_text(json.dumps([row, *({**row, "image": f"gone{number}.jpg"} for number in range(12))]))
    code, out, _ = check("v2-stage3", "--set", "data=gqa")
    assert code == 1
    assert table(out)["gqa"] == ["1", "0", "12", "0", "0", "0"]
    assert re.findall(r"names (gone\d+)\.jpg", out) == [f"gone{number}" for number in range(10)]
    assert "  and 2 more" in out


def test_names_with_commands_to_the_terminal(check, published):
    file = published / "gqa/train_balanced_questions.json"
    [row] = json.loads(file.read_text())
    file.write_text(json.dumps([{**row, "image": "gone\x1b[2J.jpg"}]))
    _, out, err = check("v2-stage3", "--set", "data=gqa")
    assert r"names gone\x1b[2J.jpg" in out
    assert "\x1b" not in out + err


def test_no_data(check):
    got, out, err = check("stage2")
    assert (got, out) == (1, "")
    assert "The recipe has no data: use --set data=FOLDER" in err


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
