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
from types import SimpleNamespace

import gradio as gr
import pytest
from accelerate.utils.other import get_free_port
from helpers import ROOT, read_guide
from huggingface_hub import RepoCard

from minigpt4.app.actions import CHATS, WAITING, Actions
from minigpt4.app.server import serve
from minigpt4.app.uploads import MAX_FILE_MEGABYTES, MAX_PICTURES
from minigpt4.app.visitors import Visitor
from minigpt4.loading import load


GUIDE = read_guide("app")
SPACE = ROOT / "hub_cards" / "space"


@pytest.fixture
def port() -> int:
    """One that was free a moment ago."""
    return get_free_port()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=["ctrl_c", "terminated"])
def test_the_command_says_where_the_page_is_and_leaves_nothing_behind(port, tmp_path, end):
    command = [Path(sys.executable).with_name("minigpt4"), "app", "--port", str(port)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stderr.readline() == "Loading nano\n"
            assert process.stdout.readline() == f"Open http://127.0.0.1:{port}/ in a browser. Ctrl-C ends the page.\n"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
                assert "MiniGPT-4" in page.read().decode()
                assert [folder.name[:14] for folder in tmp_path.iterdir()] == ["minigpt4-page-"]
            process.send_signal(end)
            output, errors = process.communicate()
        finally:
            process.kill()
    assert process.returncode == 0
    assert (output, errors) == ("", "")
    assert list(tmp_path.iterdir()) == []  # of pictures that were shown, nothing stays


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
    assert result.err == f"minigpt4: {tmp_path} is not a checkpoint: it has no config.json\n"


def test_the_space_as_the_guide_puts_it_together(tmp_path, port):
    [lines] = re.findall(r"^```sh\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)
    copy, install, upload = lines.splitlines()
    assert upload.startswith("hf upload ")
    source = shutil.copytree(ROOT, tmp_path / "source", ignore=_not_the_package)
    install = install.replace("pip install", f"{sys.executable} -m pip install --quiet --no-build-isolation")
    for line in (copy, install):
        subprocess.run(line, shell=True, check=True, cwd=source, capture_output=True)
    folder = (source / "my-space").rename(tmp_path / "space")
    code = (
        "import sys; hosts = set();"
        "sys.addaudithook(lambda event, args: event == 'socket.getaddrinfo' and hosts.add(args[0]));"
        "import runpy, gradio, minigpt4; print(minigpt4.__file__);"
        "gradio.Blocks.block_thread = lambda page: print('Serving', page.local_url);"
        "runpy.run_path('app.py', run_name='__main__');"
        "print({'datasets', 'evaluate', 'torchdata', 'trl'} & set(sys.modules));"
        "print({host for host in hosts if host not in ('127.0.0.1', 'localhost', '0.0.0.0')})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"GRADIO_SERVER_PORT": str(port)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, result.stderr
    package, serving, needless, elsewhere = result.stdout.splitlines()
    assert package == str(folder / "minigpt4" / "__init__.py")
    assert serving == f"Serving http://localhost:{port}/"
    assert needless == "set()"  # the Space does not ask for them
    assert elsewhere == "set()"  # nobody is told that a page was opened


def test_address_that_is_not_of_this_machine(capfd):
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1: it is not an address of this machine"):
        serve(gr.Blocks(), "192.0.2.1")
    assert capfd.readouterr() == ("", "")


def test_edit_that_fails_says_why(tiny_checkpoint):
    loaded = load(tiny_checkpoint)
    visitor, settings = Visitor(), (2, 1, False, 1.0, 1.0)
    actions = Actions(*loaded)
    for text in ("Hello", "And then?"):
        list(actions.send({"text": text, "files": []}, None, visitor, *settings))
    before = visitor.chat.messages()
    *_, (_, messages, _, notice) = actions.edit(visitor, SimpleNamespace(turn=0, text="long " * 500), *settings)
    assert "make it shorter" in notice.value
    assert messages == before  # what followed the message is not lost


def test_python_of_the_guide(capsys):
    [code] = re.findall(r"^```python\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)
    exec(code, {})
    assert re.match(r"http://127.0.0.1:\d+/\n", capsys.readouterr().out)


def test_limits_of_the_guide_are_those_of_the_page():
    assert f"at most {MAX_PICTURES} pictures of at most {MAX_FILE_MEGABYTES} MB" in GUIDE
    assert f"up to {WAITING}\nwait, and the chats of the {CHATS} visitors" in GUIDE


def _not_the_package(folder, names) -> list[str]:
    return [
        name
        for name in names
        if name.startswith(".") or name in ("build", "tests", "__pycache__") or name.endswith(".egg-info")
    ]


def test_the_space_asks_for_what_the_package_needs():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    asked = (SPACE / "requirements.txt").read_text().splitlines()
    assert set(asked) <= set(setup["options"]["install_requires"].split("\n"))
    card = RepoCard.load(SPACE / "README.md", repo_type="space")
    assert card.data.sdk == "gradio"
    pins = (ROOT / "constraints.txt").read_text()
    assert f"gradio=={card.data.sdk_version}\n" in pins
    assert (SPACE / card.data.app_file).is_file()
