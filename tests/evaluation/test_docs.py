"""Everything docs/evaluate.md tells people to do works, in the order in which it tells them."""

import csv
import re
import shlex

import pytest
import yaml
from helpers import ROOT, read_guide
from helpers.evaluation_sets import write_sets
from helpers.other_models import write_blip2

from minigpt4.cli import run
from minigpt4.evaluation.tasks import all_tasks
from minigpt4.training.recipe import read_values


GUIDE = read_guide("evaluate")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)


def test_the_guide_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_sets(tmp_path / "data")
    write_blip2(tmp_path / "blip2")
    names: dict = {}
    for language, text in BLOCKS:
        assert language in ("sh", "yaml", "python")
        if language == "python":
            exec(compile(text, "docs/evaluate.md", "exec"), names)
        for line in text.splitlines() if language == "sh" else ():
            if "sheets" in line:
                fill_sheets(tmp_path)
            assert run(shlex.split(line)[1:]) == 0, line
    assert (tmp_path / "results" / "nano" / "report.html").is_file()
    assert names["result"].n == 6
    assert "agreement 100.0 %" in capsys.readouterr().out


def fill_sheets(folder):
    with (folder / "results" / "nano" / "advanced-sheet.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for name in ("first", "second"):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(row | {"met": "yes"} for row in rows)


def test_the_recipe_has_known_keys(tmp_path):
    [text] = [text for language, text in BLOCKS if language == "yaml"]
    for name in ("my-pictures", "data"):
        (tmp_path / name).mkdir()
    values = yaml.safe_load(text) | {"eval_data": str(tmp_path / "my-pictures"), "data_root": str(tmp_path / "data")}
    assert read_values("own-folder", **values)["eval_tasks"] == ["okvqa", "refcoco-val"]


def test_every_task_has_its_row():
    rows = re.findall(r"^\| (`.*?) \| ", GUIDE.partition("## The metrics alone")[0], flags=re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert listed == {task.group or task.name for task in all_tasks().values()}


@pytest.mark.parametrize("name", re.findall(r"`(--[a-z-]+)", GUIDE))
def test_every_option_exists(command, name):
    assert name in command("evaluate", "okvqa", "--help").out


def test_links():
    links = {link for link in re.findall(r"\]\(([^)#]+)", GUIDE) if "://" not in link}
    assert all((ROOT / "docs" / link).exists() for link in links), links
