"""Everything the README tells people to do works, in the order in which it tells them."""

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT


README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


SHELL_LINES = [line for block in blocks("sh") for line in block.splitlines() if line]
INLINE = re.findall(r"(?<!`)`((?:make|minigpt4) [^`]+)`", README)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the reader of the README works."""
    return tmp_path_factory.mktemp("reader")


@pytest.fixture(scope="module")
def session(folder) -> subprocess.CompletedProcess:
    """All Python of the README as one script, run by a fresh interpreter."""
    script = folder / "readme.py"
    script.write_text("\n".join(blocks("python")), encoding="utf-8")
    return subprocess.run([sys.executable, script.name], cwd=folder, capture_output=True, text=True)


def test_every_block_is_run_by_some_test():
    assert {name for name, _ in BLOCKS} <= {"python", "sh", "text"}
    assert len(blocks("python")) >= 3
    assert len(SHELL_LINES) >= 5


def test_python_runs(session):
    assert session.returncode == 0, session.stderr


def test_python_warns_of_nothing(session):
    assert "Warning" not in session.stderr


def test_python_answers_as_the_readme_says(session):
    [expected] = [block for block in blocks("text") if "The image shows" in block]
    assert expected.strip() in session.stdout


@pytest.mark.parametrize("line", [line for line in SHELL_LINES if line.startswith("minigpt4 ")])
def test_command_runs(line, session, folder, command, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    result = command(*shlex.split(line)[1:])
    assert result.code == 0, result.err
    if "chat" in shlex.split(line):  # it says who answers, about what
        assert result.err.startswith("nano, 2.3 million parameters\n")
        assert "warning" not in result.err.lower()
    else:
        assert result.err == ""


def make_lines() -> list[str]:
    return [line for line in (*SHELL_LINES, *INLINE) if line.startswith("make ")]


@pytest.mark.parametrize("line", make_lines())
def test_make_target_exists(line):
    subprocess.run(["make", "--dry-run", "-C", ROOT, *shlex.split(line)[1:]], check=True, capture_output=True)


@pytest.mark.parametrize("line", [line for line in INLINE if line.startswith("minigpt4 ")])
def test_command_in_the_text_exists(line, command):
    words = [word for word in shlex.split(line)[1:] if re.fullmatch(r"[a-z]+", word)]
    assert command(*words[:2], "--help").code == 0


def test_scores_are_those_of_the_card():
    rows = re.findall(r"^\| (?:scenes|facts|questions) .*\|$", README, flags=re.MULTILINE)
    assert len(rows) == 3
    card = (ROOT / "hub_cards" / "nano" / "README.md").read_text(encoding="utf-8")
    assert set(rows) <= set(card.splitlines())


def test_no_other_shell_lines():
    rest = {line for line in SHELL_LINES if not line.startswith(("make ", "minigpt4 "))}
    assert rest <= {"source .venv/bin/activate"}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_and_folders_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    links = {link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link}
    folders = set(re.findall(r"`([\w./]+/)`", text))
    assert all((ROOT / target).exists() for target in links | folders), links | folders
