"""No text sends people to another project's package, and what is said of the original's is true."""

import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from helpers import ROOT


SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg")
PACKAGES = re.findall(r"= (\w+)$", SETUP["options"]["package_dir"], re.MULTILINE)
TEXTS = {".cfg", ".jinja", ".js", ".css", ".md", ".py", ".toml", ".txt", ".yaml"}
# Install lines that take the name from the index: options and files of requirements may stand in between.
FROM_THE_INDEX = re.compile(
    r"""\b(?:install|add)\s+(?:(?:-\S+|\S+\.txt)\s+)*["'`]?minigpt4(?![\w'./-])|\bminigpt4\[\w|^minigpt4\s*(?:[=<>~]=|$)""",
    re.MULTILINE,
)
EXTRA = re.compile(r"pip install (?:-\S+ )*['\"]?\.\[([\w,]+)\]")


def shipped_texts() -> dict[str, str]:
    files = [
        *ROOT.glob("*.*"),
        ROOT / "Makefile",
        *(file for folder in (*PACKAGES, "docs", "benchmarks") for file in (ROOT / folder).rglob("*")),
    ]
    files = [file for file in files if file.suffix in TEXTS or file.name == "Makefile"]
    return {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("pip install 'minigpt4[serving]'", True),
        ("pip install minigpt4", True),
        ("uv pip install -U minigpt4\n", True),
        ("`pip install -c constraints.txt minigpt4`", True),
        ("minigpt4==0.1.0\n", True),
        ("pip install '.[serving]' in minigpt4's repository", False),
        ("pip install .\nminigpt4 --help", False),
        ("pip install minigpt4-tools", False),
    ],
)
def test_what_is_looked_for(line, wrong):
    assert bool(FROM_THE_INDEX.search(line)) is wrong


def test_nobody_is_sent_to_the_package_index():
    texts = shipped_texts()
    assert {
        "README.md",
        "docs/deploy.md",
        "minigpt4/commands/serve.py",
        "hub_cards/model_card.md",
        "setup.cfg",
    } <= texts.keys()
    found = {name: match[0] for name, text in texts.items() if (match := FROM_THE_INDEX.search(text))}
    assert found == {}


def test_extras_in_install_lines_exist():
    named = {(name, extra) for name, text in shipped_texts().items() for extra in EXTRA.findall(text)}
    assert {"docs/deploy.md", "minigpt4/commands/app.py", "training/arguments.py"} <= {name for name, _ in named}
    assert {extra for _, extras in named for extra in extras.split(",")} <= {*SETUP["options.extras_require"]}


def test_inside_the_repository_of_the_original(tmp_path):
    """As the README says: its folder `minigpt4` comes first, but not for the command, nor for Python with `-P`."""
    (tmp_path / "minigpt4").mkdir()
    (tmp_path / "minigpt4" / "__init__.py").write_text("")

    def output(*command: str) -> str:
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    where = "import minigpt4; print(minigpt4.__file__)"
    assert output(sys.executable, "-c", where) == str(tmp_path / "minigpt4" / "__init__.py")
    assert output(sys.executable, "-P", "-c", where) == str(ROOT / "minigpt4" / "__init__.py")
    assert "describe" in output(str(Path(sys.executable).with_name("minigpt4")), "--help")
