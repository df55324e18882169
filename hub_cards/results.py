"""What `minigpt4 evaluate` measured, as cards show it."""

from collections.abc import Iterator, Mapping
from typing import Any

from .card import Result


def task_results(content: Mapping[str, Any]) -> list[Result]:
    """
    Scores on tasks, with what a reader must know of each: the interval, the share of the set, and what could not be scored.
    Results that wait for their judges are left out.

    Args:
        content (`dict`): a result that `minigpt4 evaluate` wrote, or what its `--json` printed: a result for each task.

    Raises:
        KeyError, TypeError: it is neither.
    """
    results = [content] if "task" in content else content.values()
    return [_result(one) for one in results if one["unjudged"] < one["n"]]


def _result(result: Mapping[str, Any]) -> Result:
    dataset, _, name = result["title"].partition(": ")
    command = f"minigpt4 evaluate {result['task']}"
    if result["published_scoring"]:
        command += " --published-scoring"
    if result["n"] < result["of"]:
        command += f" --limit {result['n']}"
    detail = ", ".join(_details(result))
    return Result(dataset, name or result["measure"], round(result["value"], 2), command, result["measure"], detail)


def _details(result: Mapping[str, Any]) -> Iterator[str]:
    low, high = result["interval"]
    yield f"95 %: {low:.1f} to {high:.1f}"
    yield f"n = {result['n']:,} of {result['of']:,} (part)" if result["n"] < result["of"] else f"n = {result['n']:,}"
    for what in ("unparsable", "failed", "unjudged"):
        if result[what]:
            yield f"{result[what]:,} {what}"
    if result["published_scoring"]:
        yield "scored as published"
    if result["lower_is_better"]:
        yield "lower is better"
    yield from result["notes"]
