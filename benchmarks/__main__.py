"""`python -m benchmarks [WORD ...]`: all cases, or those whose names contain one of the words.

Prints one JSON line per case to stdout as it finishes, and a table to stderr at the end.
"""

import json
import os
import sys
from datetime import UTC, datetime

import torch
from rich.console import Console
from rich.table import Table
from transformers.utils import logging

from .case import Case, Figures
from .chat import CASES as CHAT
from .data_loading import CASES as LOADING
from .describing import CASES as DESCRIBING
from .generation import CASES as GENERATION
from .servers import CASES as SERVERS
from .serving import CASES as SERVING
from .startup import CASES as STARTUP
from .training import CASES as TRAINING


CASES = [*LOADING, *TRAINING, *GENERATION, *CHAT, *DESCRIBING, *SERVING, *SERVERS, *STARTUP]


def reached(case: Case, figures: Figures) -> bool:
    ratio = figures.ours / figures.peer
    return ratio <= case.reach if case.less_is_better else ratio >= case.reach


def as_json(case: Case, figures: Figures) -> str:
    line = {
        "case": case.name,
        "unit": case.unit,
        "ours": round(figures.ours, 4),
        "peer": round(figures.peer, 4),
        "ratio": round(figures.ours / figures.peer, 3),
        "limit": figures.limit and round(figures.limit, 4),
        "of_limit": (share := figures.of_limit(case.less_is_better)) and round(share, 3),
        "to_reach": case.reach,
        "reached": reached(case, figures),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "date": datetime.now(UTC).date().isoformat(),
        **(figures.notes or {}),
    }
    return json.dumps(line)


def as_table(results: list[tuple[Case, Figures]]) -> Table:
    table = Table("case", "unit", "ours", "peer", "ratio", "to reach", "", "limit", "of limit")
    for case, figures in results:
        sign = "≤" if case.less_is_better else "≥"
        share = figures.of_limit(case.less_is_better)
        table.add_row(
            case.name,
            case.unit,
            f"{figures.ours:.3g}",
            f"{figures.peer:.3g}",
            f"{figures.ours / figures.peer:.2f}",
            f"{sign} {case.reach}",
            "yes" if reached(case, figures) else "no",
            f"{figures.limit:.3g}" if figures.limit else "",
            "" if share is None else f"{share:.0%}" if share <= 1 else f"{share:.0%}: mistaken",
        )
    return table


def main(words: list[str], known: list[Case] | None = None) -> None:
    known = CASES if known is None else known
    cases = [case for case in known if not words or any(word in case.name for word in words)]
    if not cases:
        sys.exit(f"No case has {' or '.join(words)} in its name: {', '.join(case.name for case in known)}.")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    results = []
    for case in cases:
        figures = case.measure()
        print(as_json(case, figures), flush=True)
        results.append((case, figures))
    Console(stderr=True, width=120).print(as_table(results))


if __name__ == "__main__":
    main(sys.argv[1:])
