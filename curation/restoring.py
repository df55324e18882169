"""Undoing drops of the filter: which rows stay in, whatever its rules say."""

from collections.abc import Sequence
from pathlib import Path

from minigpt4.checkpoints.journal import Journal, read_lines

from .recipe import Recipe
from .sharding import shard_folder
from .table import DROP, Table


FILE = "restored.jsonl"


def restore(recipe: Recipe, wanted: Sequence[str], shard: str | None = None) -> int:
    """
    Take back drops of the filter, now and in further runs of it.

    Args:
        recipe ([`Recipe`]): whose filter it was.
        wanted (`Sequence[str]`): ids of rows, and names of rules, each for all rows that it dropped.
        shard (`str`, *optional*): as of `run`.

    Returns:
        `int`: how many rows come back.

    Raises:
        ValueError: no dropped row has this id or reason.
    """
    folder = shard_folder(recipe, shard)
    table = Table.open(folder, recipe.steps)
    dropped = {
        row["id"]: row["filter"]["reason"] for row in table.rows if row["filter"] and row["filter"]["decision"] == DROP
    }
    ids: list[str] = []
    for name in wanted:
        found = [one for one, reason in dropped.items() if one == name or name in reason.split(", ")]
        if not found:
            rules = sorted({rule for reason in dropped.values() for rule in reason.split(", ")})
            raise ValueError(
                f"--restore {name!r} is neither a row that the filter dropped nor one of its reasons: {', '.join(rules)}."
            )
        ids += found
    ids = list(dict.fromkeys(ids))
    Journal(folder / FILE).write({"id": name} for name in ids)
    table.settle("filter", {name: {**table.by_id[name]["filter"], "decision": "restored"} for name in ids})
    return len(ids)


def restored_rows(folder: Path) -> set[str]:
    file = folder / FILE
    return {line["id"] for line in read_lines(file, whole=False)} if file.is_file() else set()
