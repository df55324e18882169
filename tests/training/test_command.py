"""`minigpt4 train RECIPE` as it is typed."""

import pytest

from minigpt4.cli import run


@pytest.fixture
def train(tiny_checkpoint, own_folder, tmp_path, capsys):
    def call(*arguments) -> tuple[int, str, str]:
        settings = [f"model_name_or_path={tiny_checkpoint}", f"data={own_folder}", f"output_dir={tmp_path / 'out'}"]
        code = run(["train", *map(str, arguments), *(text for setting in settings for text in ("--set", setting))])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_trains(train, tmp_path):
    code, _, err = train("own-folder", "--set", "max_steps=1")
    assert code == 0
    assert f"What learned is in {tmp_path / 'out'}" in err
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()
    code, _, err = train("own-folder", "--set", "max_steps=1")
    assert code == 1
    assert "already contains a run" in err


def test_shows(train, tmp_path):
    code, out, _ = train("own-folder", "--show", 2)
    assert code == 0
    assert out.count("⟧ with loss") == 2
    assert not (tmp_path / "out").exists()


def test_help_says_where_the_recipes_are(capsys):
    assert run(["train", "--help"]) == 0
    assert "minigpt4 recipes" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stage9"], "There is no recipe 'stage9'"),
        (["stage2", "--set", "max_step=1"], "did you mean 'max_steps'?"),
        (["stage2", "--set", "mask=none"], "There is no mask 'none'"),
    ],
)
def test_mistakes_are_one_line(train, arguments, message):
    code, out, err = train(*arguments)
    assert code == 1
    assert out == ""
    [line] = [line for line in err.splitlines() if line.startswith("minigpt4: ")]
    assert message in line
