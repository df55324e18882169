"""Everything docs/deploy.md tells people to do works, in the order in which it tells them."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT, read_guide

from minigpt4.cli import run


GUIDE = read_guide("deploy")
BLOCKS = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)


def test_the_guide_from_top_to_bottom(deployed, hub, monkeypatch, capfd):
    monkeypatch.chdir(deployed.folder)
    names = deployed.names
    ran = []
    for language, attribute, text in BLOCKS[1:]:  # the fixture has run the first
        text = text.replace(":8000", f":{deployed.port}").replace("OWNER", "somebody")
        if language == "text" or attribute == "no-run":
            assert "vllm" in text or "trust_remote_code=True" in text  # nothing else is left out
        elif attribute.startswith("file="):
            (deployed.folder / attribute.removeprefix("file=")).write_text(text)
        elif language == "python":
            exec(compile(text, "docs/deploy.md", "exec"), names)
            ran.append(capfd.readouterr().out)
        else:
            for line in text.splitlines():
                program, *arguments = shlex.split(line)
                if program == "accelerate":
                    command = [Path(sys.executable).with_name(program), *arguments]
                    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
                elif arguments[0] != "serve":  # which runs already
                    assert run(arguments) == 0, line
    assert [text.startswith("The image shows two objects on a black background.") for text in ran] == [True, True]
    answers = (deployed.folder / "answers.jsonl").read_text().splitlines()
    assert [f"pictures/{number}.png" in line for number, line in enumerate(answers)] == [True] * 6
    assert all("The image shows" in line for line in answers)
    assert hub.repos["models/somebody/my-model"].private


@pytest.mark.parametrize("line", re.findall(r"(?<!`)`(minigpt4 [^`]+)`", GUIDE))
def test_commands_in_the_text_exist(line, command):
    words = [word for word in shlex.split(line)[1:] if re.fullmatch(r"[a-z]+", word)]
    assert command(words[0], "--help").code == 0


def test_links():
    links = {link for link in re.findall(r"\]\(([^)#]+)", GUIDE) if "://" not in link}
    assert all((ROOT / "docs" / link).exists() for link in links), links
