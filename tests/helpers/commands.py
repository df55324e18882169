"""Fixtures: the command line in this process, and the server of docs/deploy.md."""

import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from accelerate.utils.other import get_free_port

from helpers import read_guide
from minigpt4.cli import run


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def command(capfd):
    """Run one command of the command line in this process: `command("describe", path)`.

    Captured at the file descriptors, so that nothing a library prints can hide.
    """

    def call(*arguments: object) -> Result:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        return Result(code, *capfd.readouterr())

    return call


@dataclass(frozen=True)
class Deployed:
    folder: Path
    """Where the reader of docs/deploy.md works: `my-model`, a copy of nano, and `pictures`."""
    names: dict
    """What the guide's Python has defined."""
    port: str


@pytest.fixture(scope="session")
def deployed(tmp_path_factory):
    """The guide's first block has been run, and its server answers, at a port of its own."""
    folder = tmp_path_factory.mktemp("deployed")
    guide = read_guide("deploy")
    [start] = re.findall(r"^minigpt4 (serve .+)$", guide, flags=re.MULTILINE)
    port = free_port()
    names: dict = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL)[0], names)
    command = [sys.executable, "-m", "minigpt4", *shlex.split(start.replace("8000", port))]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/health", server)
            yield Deployed(folder, names, port)
        finally:
            server.terminate()
            server.wait()


def free_port() -> str:
    return str(get_free_port())


def wait_for(address: str, server: subprocess.Popen) -> None:
    while server.poll() is None:
        try:
            urllib.request.urlopen(address).close()
            return
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError(f"the server ended with {server.returncode}")
