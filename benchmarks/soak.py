"""Valid and hostile requests for a given time, with memory use over time: `python -m benchmarks.soak serve`.

Run separately: an hour shows whether memory is flat. Everything stays on this machine: nano answers, and the sites that
serve pictures run in this process.
"""

import argparse
import collections
import random
import signal
import sys
import threading
import time
from collections.abc import Callable

import httpx
import numpy as np
import psutil

from benchmarks import soak_app, soak_serve
from benchmarks.hostile import site
from benchmarks.processes import running


VISITORS = {"serve": soak_serve.Visitor, "app": soak_app.Visitor}
FLAT = 20.0  # MB in an hour: less than a leak of 10 KB in each of the requests of a slow hour
WINDOW = (
    300.0  # seconds; a request in progress only adds to what is kept, so that the lowest row of a window is closest
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=VISITORS)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument(
        "--warm-up",
        type=float,
        default=25,
        help="minutes that do not count for the slope; 500 requests at least, until the page has as many chats as it keeps",
    )
    parser.add_argument("--every", type=float, default=30, help="seconds between two rows of the table")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two requests of a visitor")
    parser.add_argument("--visitors", type=int, default=2)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # also end the process that it started
    with running("-m", "minigpt4", options.what) as (process, address), site() as hostile:
        counts: collections.Counter[str] = collections.Counter()
        ending = threading.Event()
        visitors = [
            threading.Thread(
                target=visit,
                args=(VISITORS[options.what](address, hostile, random.Random(seed)), counts, ending, options.pause),
                daemon=True,
            )
            for seed in range(options.visitors)
        ]
        for visitor in visitors:
            visitor.start()
        rows = watch(process, counts, 60 * options.minutes, options.every)
        ending.set()
        for visitor in visitors:
            visitor.join(60)
    return judge(rows, counts, 60 * options.warm_up)


def visit(visitor, counts: collections.Counter, ending: threading.Event, pause: float) -> None:
    """Send one request after another, counted by name and result."""
    while not ending.wait(pause):
        request: Callable[[], object] = visitor.random.choice(visitor.requests)
        try:
            came = str(request())
        except httpx.HTTPError as error:
            came = type(error).__name__
        counts[f"{request.__name__}: {came}"] += 1


def watch(process: psutil.Process, counts: collections.Counter, seconds: float, every: float) -> list[tuple]:
    """Print and return rows of seconds, requests and MB until the time is over."""
    print(f"{'minute':>7} {'requests':>9} {'MB':>8} {'threads':>8} {'files':>6}", flush=True)
    rows, begun = [], time.monotonic()
    while (now := time.monotonic() - begun) < seconds:
        megabytes = process.memory_info().rss / 1e6
        rows.append((now, counts.total(), megabytes))
        line = f"{now / 60:7.1f} {counts.total():9} {megabytes:8.1f} {process.num_threads():8} {process.num_fds():6}"
        print(line, flush=True)
        time.sleep(every)
    return rows


def judge(rows: list[tuple], counts: collections.Counter, warm_up: float) -> int:
    print(*(f"{count:7} {name}" for name, count in sorted(counts.items())), sep="\n")
    windows = collections.defaultdict(list)
    for row in rows:
        if row[0] >= warm_up:
            windows[(row[0] - warm_up) // WINDOW].append(row)
    if len(windows) < 3:
        print(f"too short to tell: fewer than three times {WINDOW / 60:g} minutes after the warm-up")
        return 2
    kept = np.array([min(row[2] for row in window) for window in windows.values()])
    slope = np.polyfit(np.array(list(windows)) * WINDOW / 3600, kept, 1)[0]
    verdict = "flat" if slope <= FLAT else "NOT FLAT"
    warm = [row for window in windows.values() for row in window]
    print(
        f"after {warm_up / 60:g} minutes, lowest in {WINDOW / 60:g}: {', '.join(f'{each:.0f}' for each in kept)} MB; "
        f"{max(row[2] for row in warm):.0f} MB at most; slope {slope:+.1f} MB/h over {warm[-1][1] - warm[0][1]} requests, "
        f"at most {FLAT:+g}: {verdict}"
    )
    return 0 if slope <= FLAT else 1


if __name__ == "__main__":
    sys.exit(main())
