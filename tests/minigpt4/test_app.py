"""`minigpt4 app` and the Space, as they are started."""

import configparser
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from huggingface_hub import RepoCard


ROOT = Path(__file__).parents[2]
SPACE = ROOT / "hub_cards" / "space"


@pytest.fixture
def port() -> int:
    """One that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_the_command_says_where_the_page_is_and_ends_with_ctrl_c(port):
    command = [Path(sys.executable).with_name("minigpt4"), "app", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == f"Open http://127.0.0.1:{port}/ in a browser. Ctrl-C ends the page.\n"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
                assert "MiniGPT-4" in page.read().decode()
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate()
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in output + errors


def test_a_port_that_is_taken(command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = command("app", "--port", taken.getsockname()[1])
    assert result.code == 1
    assert re.fullmatch(r"minigpt4: cannot listen on 127.0.0.1, port \d+: .*\n", result.err)


def test_no_checkpoint_is_said_before_anything_else(command, tmp_path):
    result = command("app", "--model", tmp_path)
    assert result.code == 1
    assert result.err == f"minigpt4: {tmp_path} is no checkpoint: it holds no config.json\n"


def test_the_space_runs_beside_the_package_alone(tmp_path, port):
    """As docs/deploy.md puts it together: the files of the Space and the package, without the repository."""
    folder = shutil.copytree(SPACE, tmp_path / "space")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target"]
    source = shutil.copytree(ROOT, tmp_path / "source", ignore=_not_the_package, symlinks=True)
    subprocess.run([*pip, folder, source], check=True, capture_output=True)
    environment = os.environ | {"GRADIO_SERVER_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    code = (
        "import runpy, gradio, minigpt4; print(minigpt4.__file__);"
        "gradio.Blocks.block_thread = lambda page: print('Serving', page.local_url);"
        "runpy.run_path('app.py', run_name='__main__')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [str(folder / "minigpt4" / "__init__.py"), f"Serving http://localhost:{port}/"]


def _not_the_package(folder, names) -> list[str]:
    return [
        name
        for name in names
        if name.startswith(".") or name in ("build", "tests", "__pycache__") or name.endswith(".egg-info")
    ]


def test_the_space_asks_for_what_the_package_needs():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    needed = set(setup["options"]["install_requires"].split("\n")) - {""}
    assert set((SPACE / "requirements.txt").read_text().splitlines()) == needed
    card = RepoCard.load(SPACE / "README.md", repo_type="space")
    assert card.data.sdk == "gradio"
    pins = (ROOT / "constraints.txt").read_text()
    assert f"gradio=={card.data.sdk_version}\n" in pins
    assert (SPACE / card.data.app_file).is_file()
