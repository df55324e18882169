"""The command as it is installed: it starts quickly, and its page is one that a stranger can use."""

import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pexpect
import pytest
from helpers import ROOT

from minigpt4 import nano_path
from minigpt4.loading import load


SCRIPT = Path(sys.executable).with_name("minigpt4")


SOURCES = ["--vision", "setup.cfg", "--language-model", "tests"]


OWN = ["own-folder", "--set", "model_name_or_path=nano"]


def start(*command) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT)


def test_help_imports_nothing_heavy():
    code = "import sys; from minigpt4.cli import run; run(sys.argv[1:]); print(sorted({'torch', 'transformers', 'PIL'} & set(sys.modules)))"
    for arguments in (["--help"], ["describe", "--help"], ["--version"]):
        assert start(sys.executable, "-c", code, *arguments).stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["describe", "nope.png"], "nope.png: no such file or folder"),
        (["chat", "nope.png"], "nope.png: no such file or folder"),
        (["demo", "nope.png"], "nope.png: no such file or folder"),
        (["app", "--port", "{taken}"], "port {taken}: Address already in use; choose another with --port"),
        (["serve", "--port", "{taken}"], "port {taken}: Address already in use; choose another with --port"),
        (["serve", "--host", "192.0.2.1"], "192.0.2.1: it is not an address of this machine"),
        (["train", "nope"], "There is no recipe 'nope'"),
        (["train", "stage1", "--set", "learnig_rate=1"], "did you mean 'learning_rate'?"),
        (["train", "stage1", "--set", "learning_rate=abc"], "learning_rate must be a number (got 'abc')"),
        (["train", *OWN, "--set", "model_name_or_path=test"], "test: no such folder; did you mean tests?"),
        (["train", *OWN, "--set", "data=./nope"], "./nope: no such file or folder"),
        (["train", *OWN, "--set", "data=nano", "--set", "output_dir=tests"], "is not from a training run"),
        (["curate", "nope.yaml"], "There is no recipe 'nope.yaml'"),
        (["data", "check", "nope"], "There is no recipe 'nope'"),
        (["describe", "setup.cfg", "--model", "setup.cfg"], "setup.cfg is a file"),
        (["chat", "--model", "tests"], "config.json"),
        (["evaluate", "scenes", "--model", "no-such-place/model"], "no-such-place/model: no such folder; if it is a"),
        (["verify", "tests"], "config.json"),
        (
            ["convert", "v2", *SOURCES, "--checkpoint", "nope.pth", "--config", "n.json", "--output", "n"],
            "folder nope.pth, n.json.",
        ),
        (["assemble", "v2", *SOURCES, "--output", "tests"], "tests exists already"),
        (["push", "nope", "me/model"], "nope is not a folder"),
        (["cache-features", "stage1", "--set", "nope=1"], "unknown key 'nope'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_refused_before_torch_is_imported(arguments, line):
    code = "import sys; from minigpt4.cli import run; run(sys.argv[1:]); print('torch' in sys.modules)"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = start(sys.executable, "-c", code, *(word.format(taken=port) for word in arguments))
    assert line.format(taken=port) in refused.stderr
    assert refused.stdout == "False\n"


BUSY = {
    "demo": "Loading nano",
    "describe {picture}": "Loading nano",
    "describe {picture} {picture}": "Loading nano",
    "chat {picture}": "Loading nano",
    "app": "Loading nano",
    "serve --port 0": "Loading nano",
    "verify {nano}": "Loading",
    "export {nano} --output {new}": "Loading",
    "assemble v2 --vision {picture} --language-model tests --output {new}": "Loading",
    "train own-folder --set model_name_or_path=nano --set data=tests --set output_dir={new}": "Reading the recipe",
    "data check own-folder": "Reading the recipe",
    "cache-features own-folder": "Reading the recipe",
    "evaluate scenes": "Loading nano",
    "push {nano} me/model": "Reading {nano}",
}


def test_a_terminal_shows_what_a_command_is_busy_with_before_torch_is_imported(picture, tmp_path):
    """All in one process, in which importing torch fails."""
    places = {"picture": picture, "nano": nano_path(), "new": tmp_path / "new"}
    lines = [line.format(**places) for line in BUSY]
    code = (
        "import sys; sys.modules['torch'] = None; from minigpt4.cli import run\n"
        "for line in sys.argv[1:]: run(line.split()); print('NEXT')"
    )
    with pexpect.spawn(sys.executable, ["-c", code, *lines], cwd=ROOT, encoding="utf-8", timeout=120) as process:
        shown = process.read().split("NEXT")
    for line, text, output in zip(lines, BUSY.values(), shown, strict=False):
        assert text.format(**places) in output, line
        assert output.rindex("minigpt4: ") > output.index(text.format(**places)), line  # it went on to torch
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", [(SCRIPT,), (sys.executable, "-m", "minigpt4")])
def test_both_ways_to_start(command):
    result = start(*command, "--version")
    assert result.returncode == 0
    assert result.stdout.startswith(f"minigpt4 {version('minigpt4')} ")


def test_error_of_the_installed_command(tmp_path):
    result = start(SCRIPT, "describe", tmp_path)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [f"minigpt4: {tmp_path}: no pictures in this folder (0 other files)"]


def test_answer_of_the_installed_command(tiny_checkpoint, picture):
    result = start(SCRIPT, "describe", "--model", tiny_checkpoint, picture, "--max-new-tokens", "3")
    assert result.returncode == 0
    assert result.stdout.strip()
    assert result.stderr.splitlines() == [
        f"minigpt4: {picture}: the answer was cut off at the maximum length; raise it with --max-new-tokens"
    ]


def test_page_names_every_command(command):
    without, page = command(), command("--help")
    assert without.out.strip() == page.out.strip()
    assert page.code == 0
    for name in ("demo", "describe", "chat", "app", "train", "evaluate", "--version", "--debug"):
        assert name in page.out


def test_group_without_a_command_shows_its_page(command):
    result = command("train")
    assert result.code == 2
    assert "nano" in result.out
    assert result.err == ""


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="Linux says how much a process has read")
def test_weights_are_mapped_not_read():
    def characters_read() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    weights = Path(nano_path(), "model.safetensors")
    load()  # imports what is left
    before = characters_read()
    model, _ = load()
    assert characters_read() - before < weights.stat().st_size / 4
    assert str(weights) in Path("/proc/self/maps").read_text()
    assert model.get_input_embeddings().weight.isfinite().all()
