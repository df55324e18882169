"""Everything docs/data.md says about sets and files of one's own is so."""

import re
import shlex

import pytest
import yaml
from helpers import ROOT, read_guide

from minigpt4.cli import run
from minigpt4.training import read_recipe
from minigpt4.training.data.sets import SETS, SHARD_SETS


GUIDE = read_guide("data")
YOURS, PUBLISHED = GUIDE.split("## The published sets")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", YOURS, flags=re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"`(minigpt4 [^`]+data_root=DATA[^`]*)`", PUBLISHED)
ROWS = {
    name: [cell.strip() for cell in cells.split(" | ")]
    for name, cells in re.findall(r"^\| `([\w+]+)` \| (.*) \|$", PUBLISHED, flags=re.MULTILINE)
}


def test_your_own_chats_and_the_check(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    names: dict = {}
    said = ""
    for language, text in BLOCKS:
        if language == "python":
            exec(compile(text, "docs/data.md", "exec"), names)
        elif language == "sh":
            for line in text.splitlines():
                assert run(shlex.split(line)[1:]) == 0, line
                said += capsys.readouterr().out
        else:
            assert text.strip() in said
    assert str(names["mine"].report) == "8 of 8 rows"
    assert "<4><25><25><66>" in (tmp_path / "mine/mine.json").read_text()
    assert len(list((tmp_path / "looked").glob("*/*.jpg"))) == 3


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_on_published_sets(command, published_once, tiny_checkpoint, capsys):
    line = command.replace("FOLDER", str(tiny_checkpoint)).replace("DATA", str(published_once))
    words = [*shlex.split(line)[1:], "--set", "bf16=false"]
    assert run([*words, *(["--show", "1"] if words[0] == "train" else [])]) == 0
    assert "with loss" in capsys.readouterr().out


def test_every_set_has_its_row():
    assert list(ROWS) == [*SETS, *SHARD_SETS]


@pytest.mark.parametrize("name", SETS)
def test_files_and_recipe_lines(name):
    annotations, images, line, _ = ROWS[name]
    assert re.findall(r"`([^`]+)`", annotations) == list(SETS[name].files)
    if SETS[name].images is None:
        assert images == "none"
    else:
        assert all(path.startswith(f"{SETS[name].images}/") for path in re.findall(r"`([^`]+/[^`]+)`", images))
    said = yaml.safe_load(line.strip("`"))
    entries = {entry["name"]: entry for entry in read_recipe("v2-stage3", bf16=False).data.data}
    assert said == entries.get(name, {"data": name})


@pytest.mark.parametrize("name", SHARD_SETS)
def test_shards_and_recipe_lines(name):
    annotations, images, line, _ = ROWS[name]
    assert (annotations, images) == (f"`{SHARD_SETS[name].shards}`", "in the shards")
    entries = {entry["name"]: entry for entry in read_recipe("v2-stage1", bf16=False).data.data}
    assert yaml.safe_load(line.strip("`")) == entries[name]


def test_links():
    links = {link for link in re.findall(r"\]\(([^)#]+)", GUIDE) if "://" not in link}
    assert all((ROOT / "docs" / link).exists() for link in links), links
