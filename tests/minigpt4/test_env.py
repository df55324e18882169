"""`minigpt4 env`: what a bug report needs to know."""

import platform
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from helpers import ROOT
from huggingface_hub.constants import HF_HUB_CACHE

import minigpt4
from minigpt4.commands.env import describe_cpu, gpus


@pytest.fixture
def report(command) -> dict[str, str]:
    result = command("env")
    assert result.code == 0
    assert result.err == ""
    return dict(line.split(": ", maxsplit=1) for line in result.out.splitlines())


def test_versions_of_what_is_installed(report):
    assert report["python"].startswith(platform.python_version())
    for name in ("minigpt4", "torch", "transformers", "trl", "peft", "accelerate", "datasets", "gradio"):
        assert report[name] == version(name)


def test_nothing_that_is_not_installed_or_only_builds_it(report):
    assert {"mypy", "ruff", "pytest"}.isdisjoint(report)
    for name in {*report} - {"python", "package", "nano", "Hugging Face cache", "CPU", "GPU"}:
        assert version(name) == report[name]


def test_paths(report):
    assert Path(report["package"]) == Path(minigpt4.__file__).parent
    assert Path(report["nano"]) == minigpt4.nano_path()
    assert report["Hugging Face cache"] == HF_HUB_CACHE


@pytest.mark.parametrize(
    ("cpuinfo", "words"),
    [
        (
            "model name\t: Intel(R) Xeon(R)\nflags\t\t: fpu avx2 avx512f amx_bf16\n",
            ["Intel(R) Xeon(R)", "amx_bf16 avx2 avx512f"],
        ),
        ("Features\t: fp asimd bf16\n", ["asimd bf16"]),
        ("", [platform.processor() or platform.machine()]),
    ],
)
def test_cpu(cpuinfo, words):
    description = describe_cpu(cpuinfo)
    assert all(word in description for word in words)
    assert "fpu" not in description


def test_gpus(report):
    found = gpus()
    assert len(found) == (torch.accelerator.device_count() if torch.accelerator.is_available() else 0)
    assert report["GPU"] in (found or ["none that torch can use"])


def test_the_bug_form_and_the_guide_ask_for_it():
    root = ROOT
    for name in (".github/ISSUE_TEMPLATE/bug.yml", "CONTRIBUTING.md"):
        assert "minigpt4 env" in (root / name).read_text(encoding="utf-8")
