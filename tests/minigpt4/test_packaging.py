"""What people install: one import package, with everything it reads at run time in it."""

import ast
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from importlib.metadata import distribution, packages_distributions
from pathlib import Path, PurePosixPath

import pytest
from helpers import ROOT
from packaging.requirements import Requirement
from packaging.version import Version


NOT_SOURCE = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "runs", "tests", "docs")


@pytest.fixture(scope="module")
def setup_cfg() -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


@pytest.fixture(scope="module")
def folders(setup_cfg) -> dict[str, Path]:
    """Import package -> folder of the repository, as setup.cfg maps them."""
    lines = setup_cfg["options"]["package_dir"].split("\n")
    pairs = (line.split("=") for line in lines if line.strip())
    return {package.strip(): ROOT / folder.strip() for package, folder in pairs}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """Folder with the sdist, and with the wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("build")
    source = shutil.copytree(ROOT, folder / "source", ignore=NOT_SOURCE)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", source]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "dist"


@pytest.fixture(scope="module")
def wheel_names(built) -> set[str]:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        return set(wheel.namelist())


def test_only_one_package_is_installed(wheel_names):
    tops = {PurePosixPath(name).parts[0] for name in wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"minigpt4"}


def test_every_source_file_is_in_the_wheel(folders, wheel_names):
    def installed_as(package: str, file: Path) -> str:
        return (PurePosixPath(*package.split(".")) / file.relative_to(folders[package]).as_posix()).as_posix()

    expected = {
        installed_as(package, file)
        for package, folder in folders.items()
        for file in folder.rglob("*")
        if file.is_file() and file.suffix in {".py", ".typed", ".jinja", ".yaml", ".json", ".md", ".safetensors"}
    }
    assert len(expected) > 30
    assert expected - wheel_names == set()


def test_wheel_holds_templates_typing_mark_and_nano(wheel_names):
    needed = {
        "minigpt4/py.typed",
        *(f"minigpt4/processing/chat_templates/{family}.jinja" for family in ("vicuna", "llama2", "v2")),
        *(f"minigpt4/hub_cards/nano/{name}" for name in ("config.json", "model.safetensors", "README.md")),
    }
    assert needed - wheel_names == set()


def test_sdist_has_what_stands_beside_the_code(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {PurePosixPath(*PurePosixPath(name).parts[1:]).as_posix() for name in sdist.getnames()}
    beside = {"CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "SECURITY.md", "constraints.txt"}
    assert {"LICENSE", "README.md", "setup.cfg", "pyproject.toml", *beside} <= names


def test_console_script_and_module_are_one_command(setup_cfg):
    script = setup_cfg["options.entry_points"]["console_scripts"].split("=")
    assert [part.strip() for part in script] == ["minigpt4", "minigpt4.__main__:main"]


def requirements(text: str) -> set[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {canonical(re.match(r"[\w.-]+", line)[0]) for line in lines}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-oldest.txt"])
def test_every_requirement_is_pinned_in_the_constraints(setup_cfg, name):
    pins = (ROOT / name).read_text()
    assert {canonical(needed.name) for needed in declared(setup_cfg)} - requirements(pins) == set()
    assert all("==" in line for line in pins.splitlines() if line and not line.startswith("#"))


def test_oldest_constraints_are_the_lower_bounds(setup_cfg):
    pins = [Requirement(line) for line in (ROOT / "constraints-oldest.txt").read_text().splitlines() if "==" in line]
    oldest = {canonical(pin.name): Version(next(iter(pin.specifier)).version) for pin in pins}
    differing = {
        f"{needed}, but {oldest[canonical(needed.name)]} is tested"
        for needed in declared(setup_cfg)
        for bound in needed.specifier
        if bound.operator == ">=" and Version(bound.version) != oldest[canonical(needed.name)]
    }
    assert differing == set()


def test_what_users_install_has_lower_bounds(setup_cfg):
    tools = {
        "axe-playwright-python",
        "build",
        "mkdocs-material",
        "mkdocstrings",
        "mypy",
        "parameterized",
        "pexpect",
        "playwright",
        "pyte",
        "pytest",
        "pytest-xdist",
        "ruff",
    }
    unbounded = {needed.name for needed in declared(setup_cfg) if ">=" not in str(needed.specifier)}
    assert unbounded == tools


def declared(setup_cfg) -> list[Requirement]:
    """What setup.cfg asks for, with all extras."""
    lists = (setup_cfg["options"]["install_requires"], *setup_cfg["options.extras_require"].values())
    return [Requirement(line) for text in lists for line in text.splitlines() if line.strip()]


def test_every_package_that_the_source_imports_is_required(setup_cfg, folders):
    distributions = packages_distributions()
    extras = setup_cfg["options.extras_require"]
    required = requirements(setup_cfg["options"]["install_requires"])
    brought = {"httpx", "httpx2"}  # by huggingface_hub: one of them
    lacking = {
        (file.name, name, extra)
        for folder in folders.values()
        for file in folder.rglob("*.py")
        for name in imports(file) - {*sys.stdlib_module_names, "minigpt4", *brought, *_hosts(file)}
        for extra in _extras(file)
        if not {canonical(d) for d in distributions.get(name, [])} & (required | requirements(extras.get(extra, "")))
    }
    assert lacking == set()


def _hosts(file: Path) -> set[str]:
    """Who imports the file, and so is there."""
    return {"lmms_eval", "vlmeval"} if file.parent.name == "harnesses" else set()


def _extras(file: Path) -> list[str]:
    """The extras that the file needs, each of which must be enough; one without a name is none."""
    page, serving = not {"app", "space"}.isdisjoint(file.parent.parts), file.parent.name == "serving"
    if serving and file.name == "hosts.py":
        return ["app", "serving"]
    if file.name == "endpoint.py":
        return ["curation", "endpoint"]
    if "curation" in file.parts or file.name == "curate.py":
        return ["curation"]
    return ["app"] if page else ["serving"] if serving else [""]


def test_without_extras_a_picture_is_described(picture):
    present, names = set(), ["minigpt4"]
    while names:
        name = canonical(names.pop())
        if name not in present:
            present.add(name)
            needed = [Requirement(line) for line in distribution(name).requires or []]
            names += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    absent = [
        name
        for name, owners in packages_distributions().items()
        if not {canonical(owner) for owner in owners} & present
    ]
    assert {"gradio", "fastapi", "openai", "pytest"} <= {*absent}
    program = "import sys; sys.modules.update(dict.fromkeys(sys.argv.pop(1).split())); import minigpt4.__main__ as m; m.main()"
    command = [sys.executable, "-c", program, " ".join(absent), "demo", picture]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert "The image shows" in done.stdout, done.stdout


def imports(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    return names
