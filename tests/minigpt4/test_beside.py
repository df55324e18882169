"""What stands beside the code fits it: versions, references, continuous integration and hooks."""

import re
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml
from helpers import ROOT


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(name: str | Path):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def version() -> str:
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser["metadata"]["version"]


def test_newest_entry_of_the_changelog_is_this_version(version):
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(.+?)\] - (?:Unreleased|\d{4}-\d\d-\d\d)$", changes, re.MULTILINE)[0] == version
    kinds = set(re.findall(r"^### (.+)$", changes, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_commands_that_the_changelog_names_exist(command):
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    lines = re.findall(r"`minigpt4 ([a-z -]+)`", changes)
    assert len(lines) > 5
    for line in lines:
        assert command(*line.split(), "--help").code == 0, line


def test_citation_names_this_version_and_both_papers(version):
    citation = read("CITATION.cff")
    assert (str(citation["version"]), citation["license"]) == (version, "Apache-2.0")
    papers = {paper["identifiers"][0]["value"]: len(paper["authors"]) for paper in citation["references"]}
    assert papers == {"arXiv:2304.10592": 5, "arXiv:2310.09478": 10}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(paper["url"] in readme for paper in citation["references"])


def test_workflows_run_what_is_there():
    commands = {
        step["run"]
        for file in WORKFLOWS
        for job in read(file)["jobs"].values()
        for step in job["steps"]
        if "run" in step
    }
    assert commands == {".ci/run", "make oldest"}
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    subprocess.run(["make", "--dry-run", "oldest"], cwd=ROOT, check=True, capture_output=True)


def test_hooks_are_the_linters_of_make_and_fetch_nothing():
    [repository] = read(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == ["make lint"]
