"""What docs/curate.md tells people to do works: from 200 drawn scenes to a trained nano."""

import json
import re
import shlex

import pytest
import yaml
from helpers import ROOT, read_guide

from minigpt4.curation import Recipe, Table
from minigpt4.curation.recipe import STEPS
from minigpt4.loading import load


GUIDE = read_guide("curate")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)


def test_from_drawn_scenes_to_a_trained_nano(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (python,) = (text for language, text in BLOCKS if language == "python")
    exec(compile(python, "docs/curate.md", "exec"), {})
    assert len(list((tmp_path / "pictures").iterdir())) == 200
    recipe = next(text for language, text in BLOCKS if language == "yaml")
    (tmp_path / "drawn.yaml").write_text(recipe)
    (shell,) = (text for language, text in BLOCKS if language == "sh")
    curate, train = (shlex.split(line)[1:] for line in shell.splitlines())
    made = command(*curate)
    assert made.code == 0, made.err
    assert re.search(r"^generate: 200 in, 200 out; 200 described$", made.out, re.MULTILINE)
    rows = int(re.search(r"^export: (\d+) rows", made.out, re.MULTILINE)[1])
    assert 150 < rows <= 200
    trained = command(*train, "--set", "max_steps=2")
    assert trained.code == 0, trained.err
    before, after = (load(name)[0].model.multi_modal_projector for name in ("nano", tmp_path / "trained"))
    assert any(not p.equal(q) for p, q in zip(before.parameters(), after.parameters(), strict=True))
    table = Table.open(tmp_path / "made")
    longest = max(table.arriving("export"), key=lambda row: len(table.text(row, "export")))
    restored = command("curate", "drawn.yaml", "--restore", "nothing")
    assert "is neither a row that the filter dropped" in restored.err
    annotations = json.loads((tmp_path / "made/export/cc_sbu_align/filter_cap.json").read_text())["annotations"]
    assert {"image_id": longest["id"], "caption": table.text(longest, "export")} in annotations


def test_recipes_of_the_guide_are_valid():
    whole, endpoint = (yaml.safe_load(text) for language, text in BLOCKS if language == "yaml")
    Recipe(**whole | endpoint)
    sections = set(re.findall(r"^- \*\*(\w+)\*\*", GUIDE, flags=re.MULTILINE))
    assert sections == set(STEPS)
    for line in re.findall(r"`(\w+: \{[^`]+\})`", GUIDE):
        [(step, section)] = yaml.safe_load(line).items()
        step = step if step in STEPS else "filter"
        Recipe(**whole | {step: section if line.startswith(step) else {line.split(":")[0]: section}})


@pytest.mark.parametrize("line", re.findall(r"`((?:accelerate launch -m )?minigpt4 curate [^`]+)`", GUIDE))
def test_commands_in_the_text_exist(line, command):
    words = shlex.split(line.partition("minigpt4 ")[2])
    assert "There is no recipe 'drawn.yaml'" in command(*words).err or words[1] == "RECIPE.yaml"


def test_links():
    links = {link for link in re.findall(r"\]\(([^)#]+)", GUIDE) if "://" not in link}
    assert all((ROOT / "docs" / link).exists() for link in links), links
