"""`minigpt4 env`: what a bug report needs."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path


CPU_FEATURES = {"avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8", "asimd", "bf16", "i8mm", "sve"}


def env() -> None:
    """Print versions, devices and paths, for bug reports."""
    print(f"python: {platform.python_version()} on {platform.platform()}", flush=True)
    from huggingface_hub.constants import HF_HUB_CACHE

    from minigpt4.hub_cards import nano_path

    for name, number in installed().items():
        print(f"{name}: {number}")
    print(f"package: {Path(__file__).parents[1]}")
    print(f"nano: {nano_path()}")
    print(f"Hugging Face cache: {HF_HUB_CACHE}", flush=True)
    cpuinfo = Path("/proc/cpuinfo")
    print(f"CPU: {describe_cpu(cpuinfo.read_text() if cpuinfo.exists() else '')}", flush=True)
    for line in gpus() or ["none that torch can use"]:
        print(f"GPU: {line}")


def installed() -> dict[str, str]:
    """Versions of this package and of what it works with, as far as that is installed."""
    wanted = [re.split(r"[^\w.-]", line)[0] for line in requires("minigpt4") or () if 'extra == "dev"' not in line]
    versions = {}
    for name in ("minigpt4", *sorted({*wanted, "torchvision", "deepspeed"})):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def describe_cpu(cpuinfo: str) -> str:
    """Model, cores and what speeds up bfloat16 and int8, from the text of Linux's /proc/cpuinfo where there is one."""
    model = re.search(r"^model name\s*: (.+)$", cpuinfo, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*: (.+)$", cpuinfo, re.MULTILINE)
    features = sorted(CPU_FEATURES.intersection(flags[1].split() if flags else ()))
    name = model[1] if model else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores" + (f", {' '.join(features)}" if features else "")


def gpus() -> list[str]:
    """Name and memory of every accelerator that torch can use."""
    import torch

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        return []
    if accelerator.type == "mps":
        return ["mps"]
    devices = torch.get_device_module(accelerator)
    properties = [devices.get_device_properties(index) for index in range(torch.accelerator.device_count())]
    return [f"{accelerator.type}, {one.name}, {one.total_memory / 2**30:.0f} GiB" for one in properties]
