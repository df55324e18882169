"""What the builds of both embedded models promise, tested on builds that are far too short to learn anything."""

import shutil
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file


def shortened(folder: Path, recipe: str, **settings: object) -> str:
    """The path of a copy of a shipped recipe with two steps, and with these settings."""
    shipped = yaml.safe_load((files("minigpt4.training") / "recipes" / f"{recipe}.yaml").read_text())
    path = folder / f"{recipe}.yaml"
    path.write_text(yaml.safe_dump({**shipped, "max_steps": 2, **settings}))
    return str(path)


class Builds:
    """A class of tests that has as fixtures `build`, its function; `recipe`; and `built`, which is the folder that it made
    by that recipe from the seed 5, and the scores on two scenes that it returned."""

    stages: tuple[str, ...]
    other_recipe: dict

    def test_the_folder_holds_the_model_alone(self, built):
        output, scores = built
        assert sum(file.stat().st_size for file in output.glob("*.safetensors")) < 10_000_000
        assert not list(output.glob("*.part"))
        assert not (output / "scores.json").exists()
        assert "$" not in (output / "README.md").read_text()
        assert tuple(scores)[: len(self.stages)] == self.stages

    def test_a_build_that_was_stopped_goes_on(self, build, built, recipe, tmp_path, capsys):
        output, scores = built
        steps = shutil.copytree(f"{output}.steps", tmp_path / "again.steps")
        shutil.rmtree(steps / self.stages[-1])
        capsys.readouterr()
        assert build(tmp_path / "again", seed=5, recipe=recipe, scenes=2) == scores
        assert "ViT" not in capsys.readouterr().err
        again, first = (load_file(folder / "model.safetensors") for folder in (tmp_path / "again", output))
        assert all(torch.equal(again[name], first[name]) for name in first)

    def test_steps_of_another_seed_or_recipe_and_full_folders_are_refused(self, build, built, recipe, tmp_path):
        output, _ = built
        with pytest.raises(FileExistsError, match="is not empty: give a new folder"):
            build(output, seed=5, recipe=recipe)
        shutil.copytree(f"{output}.steps", tmp_path / "again.steps")
        for other in ({"seed": 6, "recipe": recipe}, {"seed": 5, "recipe": replace(recipe, **self.other_recipe)}):
            with pytest.raises(ValueError, match="another seed or recipe: delete it"):
                build(tmp_path / "again", **other)
