"""How time and memory grow with the work: `python -m benchmarks.growth [--largest 1000000] [--plot FILE] [WORD ...]`.

Each size is measured in a process of its own. Prints one JSON line per size, and a Markdown table with the exponents: 1 is as
fast as the work grows, 0 does not grow with it.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from .growths import GROWTHS, Growth
from .lines import draw_lines
from .measuring import peak


LEAST = {"cpu_seconds": 0.01, "mib": 1.0}  # what can be told from nothing


def measured(growth: Growth, size: int) -> dict[str, float]:
    """Seconds, MiB at the peak above what is there before the work, and MiB of files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        growth.prepare(folder, size)
        context = get_context("spawn")
        queue = context.Queue()
        process = context.Process(target=_measure, args=(growth, folder, size, queue))
        process.start()
        process.join()
        if process.exitcode:
            raise RuntimeError(f"{growth.name} with {size} {growth.unit} ended with exit code {process.exitcode}.")
        files = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
        return {**queue.get(), "disk_mib": sum(file.stat().st_size for file in files) / 2**20}


def _measure(growth: Growth, folder: Path, size: int, queue) -> None:
    with tempfile.TemporaryDirectory() as name:
        small = Path(name)
        growth.prepare(small, growth.warm)
        growth.work(small, growth.warm)()  # imports, and what is done once
    work = growth.work(folder, size)
    before, start, began = peak(), time.perf_counter(), time.process_time()
    work()
    queue.put(
        {
            "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - began,
            "mib": (peak() - before) / 2**20,
        }
    )


def exponent(sizes: list[int], costs: list[float]) -> float:
    """Of the power of the size that the costs follow: the slope of the line through their logarithms."""
    return np.polyfit(np.log(sizes), np.log(costs), 1)[0]


def table(results: dict[str, tuple[str, dict[int, dict[str, float]]]]) -> str:
    """Results as Markdown; the sizes of a work that were left out are "not measured"."""
    lines = [
        "| work | size | CPU seconds | MiB | MiB on disk | exponent of time | of memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (unit, by_size) in results.items():
        known = [size for size, cost in by_size.items() if cost]
        powers = ["", ""]
        if len(known) > 1:
            last = known[-2:]  # small sizes measure what is done once
            powers = [
                f"{exponent(last, [max(by_size[size][what], least) for size in last]):.2f}"
                for what, least in LEAST.items()
            ]
        for size, cost in by_size.items():
            if not cost:
                lines.append(f"| {name} | {size:,} {unit} | not measured | | | | |")
                continue
            ends = powers if size == known[-1] else ["", ""]
            costs = [f"{cost['cpu_seconds']:.3g}", f"{cost['mib']:.0f}", f"{cost['disk_mib']:.0f}", *ends]
            lines.append(f"| {name} | {size:,} {unit} | {' | '.join(costs)} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--largest", type=int, default=10**6, help="Sizes above it are left out.")
    parser.add_argument("--plot", type=Path, help="PNG to draw.")
    parser.add_argument("--known", type=Path, help="Lines of an earlier run: these sizes are not measured again.")
    parser.add_argument("words", nargs="*", help="Only what has one of them in its name.")
    asked = parser.parse_args(arguments)
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    known = {}
    if asked.known:
        for line in map(json.loads, asked.known.read_text().splitlines()):
            known[line.pop("work"), line.pop("size")] = line
    results: dict[str, tuple[str, dict[int, dict[str, float]]]] = {}
    for growth in GROWTHS:
        if asked.words and not any(word in growth.name for word in asked.words):
            continue
        by_size = results.setdefault(growth.name, (growth.unit, {}))[1]
        for size in growth.sizes:
            by_size[size] = known.get((growth.name, size), {})
            if by_size[size] or size > asked.largest:
                continue
            by_size[size] = {name: round(cost, 3) for name, cost in measured(growth, size).items()}
            print(json.dumps({"work": growth.name, "size": size, **by_size[size]}), flush=True)
    print(table(results))
    if asked.plot:
        seconds = partial(_line, what="cpu_seconds")
        draw_lines({name: seconds(by_size) for name, (_, by_size) in results.items()}, "CPU seconds", asked.plot)


def _line(by_size: dict[int, dict[str, float]], what: str) -> list[tuple[float, float]]:
    return [(size, cost[what]) for size, cost in by_size.items() if cost]


if __name__ == "__main__":
    main(sys.argv[1:])
