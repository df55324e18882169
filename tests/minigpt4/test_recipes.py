"""`minigpt4 recipes`: what comes with the package, to read and to copy."""

from pathlib import Path

import pytest
import yaml

from minigpt4.training.recipe import read_values, shipped_recipes


def test_lists_every_recipe_and_every_file_for_accelerate(command):
    result = command("recipes")
    assert result.code == 0
    names = [line.split()[0] for line in result.out.splitlines() if line.startswith("  ") and line[2] != " "]
    assert names == [*shipped_recipes(), "cpu", "ddp", "fsdp2", "machines", "zero2", "zero3"]


def test_names_are_whole_in_a_narrow_terminal(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    result = command("recipes")
    assert max(map(len, result.out.splitlines()[1:30])) <= 40
    assert set(shipped_recipes()) <= set(result.out.split())


def test_what_is_printed_is_a_recipe_of_ones_own(command, tmp_path):
    (tmp_path / "my.yaml").write_text(command("recipes", "stage2").out)
    own, shipped = read_values(tmp_path / "my.yaml"), read_values("stage2")
    assert own | {"output_dir": None} == shipped | {"output_dir": None}


def test_path_of_a_file_for_accelerate(command):
    file = Path(command("recipes", "--path", "fsdp2").out.strip())
    assert yaml.safe_load(file.read_text())["distributed_type"] == "FSDP"


@pytest.mark.parametrize(
    ("arguments", "code", "said"), [(["nope"], 1, "There is no recipe 'nope'"), (["--path"], 2, "NAME")]
)
def test_mistakes(command, arguments, code, said):
    result = command("recipes", *arguments)
    assert (result.code, result.out) == (code, "")
    assert said in result.err
