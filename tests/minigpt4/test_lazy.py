"""Public names are imported when they are first used: importing a package costs next to nothing."""

import os
import subprocess
import sys
from importlib import import_module

import pytest


PACKAGES = [
    "minigpt4",
    "minigpt4.app",
    "minigpt4.checkpoints",
    "minigpt4.conversion",
    "minigpt4.evaluation.scenes",
    "minigpt4.hub_cards",
    "minigpt4.inference",
    "minigpt4.modeling_minigpt4",
    "minigpt4.processing",
    "minigpt4.training",
]


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_imports_nothing_but_ours(package):
    code = (
        f"import sys, {package}; print(*{{name.partition('.')[0] for name in sys.modules}} - sys.stdlib_module_names)"
    )
    empty, imported = (set(run(code).split()) for code in (code.replace(f", {package}", ""), code))
    assert imported - empty == {"minigpt4"}


@pytest.mark.parametrize("package", ["minigpt4", "minigpt4.processing", "minigpt4.training"])
def test_importing_a_package_takes_less_than_twice_an_empty_python(package):
    run(f"import {package}")  # compiled from here on
    assert min(processor_time(f"import {package}") for _ in range(5)) < 2 * min(processor_time("") for _ in range(5))


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def processor_time(code: str) -> float:
    before = os.times()
    run(code)
    after = os.times()
    return (after.children_user - before.children_user) + (after.children_system - before.children_system)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there(package):
    module = import_module(package)
    for name in getattr(module, "__all__", []):
        value = getattr(module, name)
        assert getattr(value, "__module__", package).startswith("minigpt4.") or not callable(value)
        assert name in dir(module)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'absent'"):
        _ = module.absent


def test_a_file_does_not_hide_the_function_of_its_name(fresh):
    code = "from minigpt4.conversion.verify import verify as own; from minigpt4.conversion import verify; print(own is verify)"
    assert fresh(code).stdout.strip() == "True"
