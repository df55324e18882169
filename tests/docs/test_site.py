"""The site of the guides and the reference, as `make docs` builds it."""

import re
import runpy
import shutil
import subprocess
import sys
from html import unescape
from importlib import import_module
from inspect import ismodule
from pathlib import Path

import pytest
from helpers import ROOT


MODULES = runpy.run_path(str(ROOT / "docs" / "hooks.py"))["MODULES"]


def build(repository: Path, site: Path) -> subprocess.CompletedProcess:
    subprocess.run(["make", "types"], cwd=repository, check=True, capture_output=True)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True)


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, str]:
    """Path on the site -> HTML."""
    site = tmp_path_factory.mktemp("site")
    result = build(ROOT, site)
    assert result.returncode == 0, result.stderr
    return {page.relative_to(site).as_posix(): page.read_text(encoding="utf-8") for page in site.rglob("*.html")}


def test_every_guide_is_a_page(pages):
    guides = {f"docs/{guide.stem}.html" for guide in (ROOT / "docs").glob("*.md")}
    assert {
        *guides,
        "index.html",
        "CHANGELOG.html",
        "hub_cards/nano/index.html",
        "hub_cards/nano-v2/index.html",
    } <= pages.keys()


def test_links_to_the_readme_lead_to_the_start(pages):
    assert 'href="../index.html"' in pages["docs/deploy.html"]


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_in_the_reference(pages, module):
    home = import_module(module)
    names = {name for name in home.__all__ if not name.startswith("__") and not ismodule(getattr(home, name))}
    # Without torchvision, transformers leaves a stand-in under the name of a file.
    names.discard("image_processing_minigpt4")
    reference = "\n".join(html for page, html in pages.items() if page.startswith("reference/"))
    headings = {re.sub(r"<.*?>", "", heading) for heading in re.findall(r"<h2.*?</h2>", reference, re.DOTALL)}
    shown = {unescape(word) for heading in headings for word in re.findall(r"minigpt4[\w.]*", heading)}
    assert names <= {name.rpartition(".")[2] for name in shown}


def test_types_are_shown_as_types_and_names_as_links(pages):
    text = re.sub(r"<(?!/?code|a ).*?>", "", pages["reference/minigpt4.html"])
    assert "<code>int, optional, defaults to 32</code>" in text
    assert not re.search(r"\[<code>[\w.~]+</code>\]", "\n".join(pages.values()))
    assert re.search(r'href="[^"]*#minigpt4\.training\.StageTrainer"', pages["reference/minigpt4.training.html"])


def test_nothing_comes_from_the_net(pages):
    for html in pages.values():
        assert not re.findall(r'(?:<script[^>]* src|<img[^>]* src|<link[^>]* href)="?(?:https?:)?//[^"> ]*', html)


def test_broken_links_and_undocumented_names_stop_it(tmp_path):
    repository = tmp_path / "repository"
    repository.mkdir()
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, repository)
        elif not path.name.startswith(".") and path.name not in ("docs", "evaluation", "build"):
            (repository / path.name).symlink_to(path)
    for folder in ("docs", "evaluation"):
        shutil.copytree(ROOT / folder, repository / folder)
    with (repository / "docs" / "train.md").open("a", encoding="utf-8") as guide:
        guide.write("\n[gone](gone.md) [nowhere](data.md#nowhere)\n")
    scenes = repository / "evaluation" / "scenes" / "world.py"
    scenes.write_text(re.sub(r'(class SceneObject:\n) +""".*?"""\n', r"\1", scenes.read_text(), flags=re.DOTALL))

    result = build(repository, tmp_path / "site")
    assert result.returncode == 1
    assert "'gone.md'" in result.stderr
    assert "'data.md#nowhere'" in result.stderr
    assert "minigpt4.evaluation.scenes.SceneObject is public and has no docstring" in result.stderr
