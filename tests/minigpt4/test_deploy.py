"""Everything docs/deploy.md tells people to do works, in the order in which it tells them."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from helpers import ROOT, read_guide
from helpers.commands import free_port

from minigpt4.cli import run
from minigpt4.inference.answering import answer
from minigpt4.inference.turns import user_turn
from minigpt4.loading import load


GUIDE = read_guide("deploy")
BLOCKS = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)


def test_the_guide_from_top_to_bottom(deployed, hub, monkeypatch, capfd):
    monkeypatch.chdir(deployed.folder)
    Path("training").symlink_to(ROOT / "training")
    names = deployed.names
    ran = []
    for language, attribute, text in BLOCKS[1:]:  # the fixture has run the first
        text = text.replace(":8000", f":{deployed.port}").replace("OWNER", "somebody")
        if language == "text" or attribute == "no-run":
            assert "vllm" in text or "trust_remote_code=True" in text  # nothing else is left out
        elif language == "python":
            exec(compile(text, "docs/deploy.md", "exec"), names)
            ran.append(capfd.readouterr().out)
        else:
            for line in text.splitlines():
                program, *arguments = shlex.split(line)
                if program == "accelerate":
                    *arguments, into, file = arguments
                    assert into == ">"
                    assert load_config_from_file(arguments[2]).num_processes == 2
                    launch = [
                        Path(sys.executable).with_name(program),
                        "launch",
                        "--main_process_port",
                        "0",
                    ]  # any free one
                    with Path(file).open("wb") as output:
                        subprocess.run([*launch, *arguments[1:]], check=True, stdout=output, stdin=subprocess.DEVNULL)
                elif arguments[0] != "serve":  # which runs already, and by itself below
                    assert run(arguments) == 0, line
    assert [text.startswith("The image shows two objects on a black background.") for text in ran] == [True, True]
    # Two processes give the answers of one.
    answers = sorted((deployed.folder / "answers.jsonl").read_text().splitlines())
    capfd.readouterr()
    assert run(["describe", "pictures", "--model", "my-model", "--json"]) == 0
    assert answers == capfd.readouterr().out.splitlines()
    assert len(answers) == 6
    assert all("The image shows" in line for line in answers)
    assert hub.repos["models/somebody/my-model"].private


PLAIN_SERVER = """
import json, time, urllib.request
from transformers.cli.transformers import app
given = json.load(sys.stdin)
app([*given["arguments"], "--non-blocking"], standalone_mode=False)
server = f"http://localhost:{given['arguments'][-1]}"
while True:
    try:
        urllib.request.urlopen(f"{server}/health").close()
        break
    except urllib.error.URLError:
        time.sleep(0.05)
body, headers = json.dumps(given["body"]).encode(), {"Content-Type": "application/json"}
print(urllib.request.urlopen(urllib.request.Request(f"{server}/v1/chat/completions", body, headers)).read().decode())
"""


def test_transformers_serve_needs_the_saved_code_only(deployed, stranger):
    [line] = [line for _, _, text in BLOCKS for line in text.splitlines() if line.startswith("transformers serve")]
    _, *arguments = shlex.split(line.replace("8000", free_port()))
    [described] = answer(
        *load(), [[user_turn("Describe this image in detail.", deployed.folder / "pictures" / "0.png")]]
    )
    image = {"type": "image_url", "image_url": {"url": "pictures/0.png"}}
    content = [image, {"type": "text", "text": "Describe this image in detail."}]
    body = {"model": "my-model", "messages": [{"role": "user", "content": content}]}
    given = json.dumps({"arguments": arguments, "body": body})
    completion = json.loads(stranger(PLAIN_SERVER, cwd=deployed.folder, input=given).splitlines()[-1])
    assert completion["choices"][0]["message"]["content"] == described.text


@pytest.mark.parametrize("line", re.findall(r"(?<!`)`(minigpt4 [^`]+)`", GUIDE))
def test_commands_in_the_text_exist(line, command):
    words = [word for word in shlex.split(line)[1:] if re.fullmatch(r"[a-z]+", word)]
    assert command(words[0], "--help").code == 0


def test_links():
    links = {link for link in re.findall(r"\]\(([^)#]+)", GUIDE) if "://" not in link}
    assert all((ROOT / "docs" / link).exists() for link in links), links
