"""The map in CONTRIBUTING.md is true: it shows every room, rooms import what it allows, and its files exist."""

import ast
import re
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import NamedTuple

import networkx
import pytest
from helpers import ROOT


# Each names the other for its readers only: what a file names is saved beside it, and they travel together.
IMAGE_PROCESSORS = [
    "minigpt4.processing.image_processing_minigpt4",
    "minigpt4.processing.image_processing_pil_minigpt4",
]

# The helper that makes packages lazy stands below all rooms: it imports nothing of the package.
GROUND = "minigpt4.lazy"


class Import(NamedTuple):
    line: str  # file and line, for the message
    source: str
    target: str  # a module of the package
    for_types: bool  # under TYPE_CHECKING: not imported at run time


def read_setup() -> tuple[dict[str, str], list[str]]:
    """Import package -> folder, for the rooms; and all packages."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    options = parser["options"]
    rooms = dict(line.split(" = ") for line in options["package_dir"].strip().splitlines())
    return rooms, options["packages"].split()


ROOMS, PACKAGES = read_setup()


def room_of(module: str) -> str:
    return max((room for room in ROOMS if f"{module}.".startswith(f"{room}.")), key=len)


def folder_of(package: str) -> Path:
    room = room_of(package)
    return ROOT.joinpath(ROOMS[room], *package.removeprefix(room).split(".")[1:])


MODULES = {
    package if file.stem == "__init__" else f"{package}.{file.stem}": file
    for package in PACKAGES
    for file in folder_of(package).glob("*.py")
}


def imports_of(module: str) -> Iterator[Import]:
    """All imports of the package's own modules, also those in functions and under TYPE_CHECKING."""
    file = MODULES[module]
    tree = ast.parse(file.read_text(encoding="utf-8"))
    guarded = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    for_types = {inner for node in guarded for statement in node.body for inner in ast.walk(statement)}
    package = module.split(".") if file.stem == "__init__" else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            home = ".".join([*above, *([node.module] if node.module else [])])
            targets = {name if (name := f"{home}.{alias.name}") in MODULES else home for alias in node.names}
        else:
            continue
        for target in targets:
            if target.split(".")[0] == "minigpt4":
                line = f"{file.relative_to(ROOT)}:{node.lineno}"
                yield Import(line, module, target, node in for_types)


IMPORTS = [found for module in MODULES for found in imports_of(module)]


def read_table(heading: str) -> list[list[str]]:
    """The rows of the table under a heading of CONTRIBUTING.md, without its head."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [section] = re.findall(rf"^## {heading}\n(.*?)(?=^## )", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def read_map() -> networkx.DiGraph:
    """Room -> what it may import: the rooms of its row, and so on down."""
    by_folder = {f"{folder}/": room for room, folder in ROOMS.items()}
    allowed = networkx.DiGraph()
    for name, _, below in read_table("The map"):
        room = by_folder[quoted(name)[0]]
        allowed.add_node(room)
        allowed.add_edges_from((room, by_folder[f"{folder}/"]) for folder in quoted(below))
    return allowed


def test_imports_were_found():
    """Else the other tests of this file would pass on anything."""
    assert len(MODULES) > 100
    unknown = {f"{found.line} {found.target}" for found in IMPORTS if found.target not in MODULES}
    assert unknown == set()
    assert any(found.for_types for found in IMPORTS)


def test_every_room_is_on_the_map():
    assert set(read_map()) == set(ROOMS)
    shown = {name for row in read_table("The map") for cell in row for name in quoted(cell) if name.endswith("/")}
    folders = {f"{folder_of(package).relative_to(ROOT)}/" for package in PACKAGES}
    assert folders - shown == set()
    assert {name for name in shown if not (ROOT / name).is_dir()} == set()


def test_rooms_stand_on_floors():
    allowed = read_map()
    assert networkx.is_directed_acyclic_graph(allowed)
    assert [room for room, above in allowed.in_degree if not above] == ["minigpt4"]
    assert {room for room, below in allowed.out_degree if not below} == {
        "minigpt4.processing",
        "minigpt4.modeling_minigpt4",
    }


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_room_imports_what_the_map_allows(room):
    allowed = {room, *networkx.descendants(read_map(), room)}
    others = {
        f"{found.line} imports {found.target}"
        for found in IMPORTS
        if room_of(found.source) == room and room_of(found.target) not in allowed and found.target != GROUND
    }
    assert others == set()


def test_modules_do_not_import_each_other_in_circles():
    """Also not for types only. What an `__init__.py` names under TYPE_CHECKING it imports when it is asked for."""
    lazy = {found for found in IMPORTS if found.for_types and MODULES[found.source].stem == "__init__"}
    graph = networkx.DiGraph((found.source, found.target) for found in IMPORTS if found not in lazy)
    circles = [sorted(circle) for circle in networkx.strongly_connected_components(graph) if len(circle) > 1]
    assert circles == [IMAGE_PROCESSORS]


def test_the_ground_imports_nothing_of_the_package():
    assert [found for found in IMPORTS if found.source == GROUND] == []
    assert GROUND in MODULES


def test_every_likely_change_has_one_file():
    rows = read_table("What to open")
    assert len(rows) == 14
    for change, file, _ in rows:
        assert [name for name in quoted(file) if (ROOT / name).is_file()] == quoted(file)[:1], change
