"""Parts of a sample, each with a table of its own, on one machine or several; and all of them together again."""

import re
import shutil
from pathlib import Path

from .recipe import Recipe
from .settings import SETTINGS, read_settings, write_settings
from .sources import IMAGES
from .table import TABLE, WORKING, Table


FOLDER = "shard-{:05d}-of-{:05d}"


def shard_folder(recipe: Recipe, shard: str | None) -> Path:
    """Where the table of a shard is, or that of the whole."""
    return Path(recipe.output) if shard is None else Path(recipe.output) / FOLDER.format(*part_of(shard))


def part_of(shard: str) -> tuple[int, int]:
    """`K/N` as numbers."""
    match = re.fullmatch(r"(\d+)/(\d+)", shard)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ValueError(f"--shard is {shard!r}: give K/N, such as 1/4 for the first of four.")
    return int(match[1]), int(match[2])


def merge(recipe: Recipe) -> Table:
    """
    Put the tables of all shards together in the output folder. The filter is to be run on it again, since duplicates are
    found among all rows.

    Raises:
        FileNotFoundError: a shard is not there.
        ValueError: a shard has an unfinished step, or they were made with different settings.
    """
    output = Path(recipe.output)
    found = sorted(path for path in output.glob("shard-*-of-*") if (path / TABLE).is_file())
    if not found:
        raise FileNotFoundError(f"{output} has no shards: run the steps with --shard K/N first.")
    shards = int(found[0].name.rpartition("-")[2])
    folders = [output / FOLDER.format(number, shards) for number in range(1, shards + 1)]
    if strange := {*found} - {*folders}:
        raise ValueError(f"{output} has shards of another division, such as {min(strange).name}: move them away.")
    tables = [Table.open(folder) for folder in folders]
    if unfinished := [table.folder.name for table in tables for step in WORKING if table.unsaved(step)]:
        raise ValueError(f"{unfinished[0]} has an unfinished step: run it again, then merge.")
    settings = [read_settings(folder) for folder in folders]
    if any(other != settings[0] for other in settings):
        raise ValueError(f"The shards in {output} were made with different settings: see their {SETTINGS}.")
    rows = sorted((row for table in tables for row in table.rows), key=lambda row: int(row["id"]))
    for folder in folders:
        if (folder / IMAGES).is_dir():
            shutil.copytree(folder / IMAGES, output / IMAGES, dirs_exist_ok=True)
    merged = Table(output, rows, recipe.steps)
    merged.save()
    write_settings(output, {name: value for name, value in settings[0].items() if name != "filter"})
    if recipe.filter is not None and recipe.filter.from_ is None:
        merged.clear(["filter"])
    for step in WORKING:
        if any(row[step] for row in merged.rows):
            merged.write_jsonl(step)
    return merged
