"""The counts of transformers' own suite at the end of a run.

A plugin, which `tests/conftest.py` registers: under pytest-xdist the process that prints the end collects no tests, and
so does not read the conftest beside this file.
"""

import re
from collections import Counter
from pathlib import Path


HERE = Path(__file__).parent


def reason_group(reason):
    """The reason of a skip without what differs from test to test."""
    if "is not in `self.pipeline_model_mapping`" in reason:
        return "pipeline of another task"
    return re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", reason.removeprefix("Skipped: "))


def pytest_terminal_summary(terminalreporter):
    """How much of transformers' suite ran, and why the rest did not."""
    here = HERE.relative_to(terminalreporter.config.rootpath).as_posix()
    theirs, ours, reasons = Counter(), Counter(), Counter()
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            if not getattr(report, "nodeid", "").startswith(here):
                continue
            # The file that a test is written in: ours, or a mixin's.
            file = getattr(report, "location", (here,))[0]
            counts = ours if file.startswith(here) and ".cache" not in file else theirs
            counts[outcome] += 1
            if outcome == "skipped":
                reasons[reason_group(report.longrepr[2])] += 1
                # One line instead of hundreds in pytest's own summary, which comes next.
                report.longrepr = (str(HERE), None, "Skipped: for the reasons above")
    if not theirs and not ours:
        return
    terminalreporter.section("transformers' own suite on MiniGPT-4")
    for name, counts in (("written in transformers", theirs), ("ours for what it leaves out, and guards", ours)):
        numbers = " · ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "error", "skipped"))
        terminalreporter.line(f"{numbers}  ({name})")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:5}  {reason}")
