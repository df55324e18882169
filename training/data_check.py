"""What the data of a recipe are like: everything is read once, nothing is trained."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from minigpt4.processing.boxes import parse_grounding
from minigpt4.processing.drawing import draw_boxes
from minigpt4.processing.image_loading import load_image

from .collation import SequenceCollator, row_images
from .mixing import Mixture
from .model import load_processor
from .preview import print_sequences
from .recipe import Recipe
from .rows import load_entry, load_train_rows, number_rows
from .sets import SetRows
from .shards import Shards


CHUNK = 256  # rows whose images are read side by side


@dataclass
class SetCheck:
    """
    What was found in one set. Rows that cannot be used are named, each with what is wrong.

    Args:
        name (`str`): of the set.
        max_broken (`float`): the share of its rows that may be unusable.
        rows (`int`): that can be used.
        left_out (`Counter[str]`): that the published training does not use, by reason.
        missing, unreadable (`list[str]`): without their image, or with one that is none.
        broken (`list[str]`): that are not as they should be, or have nothing to learn.
        cut (`list[str]`): that are used, but longer than a limit of the recipe allows.
        first (`list[dict]`): the first usable rows.
        failure (`str`, *optional*): why the set cannot be read at all.
    """

    name: str
    max_broken: float
    rows: int = 0
    left_out: Counter = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    first: list[dict] = field(default_factory=list)
    failure: str | None = None

    @property
    def share(self) -> float:
        """The share of the rows that cannot be used."""
        unusable = len(self.missing) + len(self.unreadable) + len(self.broken)
        return unusable / max(1, unusable + self.rows)

    @property
    def problem(self) -> str | None:
        """Why the set cannot be trained on; `None` where it can."""
        if self.failure:
            return self.failure
        if self.rows == 0:
            return "No row can be used."
        if self.share > self.max_broken:
            return f"{self.share:.1%} of the rows cannot be used, and max_broken allows {self.max_broken:.1%}."
        return None


def check_data(recipe: Recipe, show: int = 0, output: Path | None = None) -> bool:
    """
    Read everything that a recipe trains on, and print a table with an example of each set as the model sees it.

    Args:
        recipe (`Recipe`): from [`read_recipe`].
        show (`int`, *optional*, defaults to 0): draw so many rows of each set, with their boxes.
        output (`Path`, *optional*): the folder to draw them into, one folder for each set.

    Returns:
        `bool`: whether every set can be trained on, with no more than `max_broken` of its rows unusable.
    """
    collator = SequenceCollator(load_processor(recipe.model), recipe.sequence, seed=recipe.args.seed)
    data = recipe.data
    entries = data.data if isinstance(data.data, list) else [data.data]
    images: dict[str, str | None] = {}  # sets share them
    checks = []
    for entry in entries:
        said: Mapping = entry if isinstance(entry, Mapping) else {"name": entry}
        check = SetCheck(str(said.get("name")), said.get("max_broken", data.max_broken))
        try:
            _check_set(check, entry, recipe, collator, images, max(1, show))
            if show and output is not None:
                _draw(check, show, output)
        except (ValueError, OSError) as error:
            check.failure = " ".join(str(error).split())
        checks.append(check)
    _print(checks, collator)
    return not any(check.problem for check in checks)


def _check_set(check: SetCheck, entry, recipe: Recipe, collator, images: dict, keep: int) -> None:
    # All that is wrong shall be counted here: no limit stops the reading.
    if isinstance(recipe.data.data, list):
        _, rows = load_entry({**entry, "max_broken": 1.0} if isinstance(entry, Mapping) else entry, recipe.data)
    else:
        rows = load_train_rows(replace(recipe.data, max_broken=1.0))
    if isinstance(rows, Mixture):  # of one stream
        rows = rows.sets[0].rows
    if isinstance(rows, SetRows):
        check.left_out = rows.report.left_out
        check.missing += rows.report.missing
        check.broken += rows.report.broken
    for chunk in _chunks(check.name, rows, recipe.args.seed):
        _read_images(chunk, images)
        for row in chunk:
            if _check_row(check, row, collator, images) and len(check.first) < keep:
                check.first.append(row)


def _chunks(name: str, rows, seed: int) -> Iterator[list[dict]]:
    total = len(rows) if hasattr(rows, "__len__") else None
    numbered = number_rows(rows.stream(str(seed)) if isinstance(rows, Shards) else rows, seed)
    each: Iterable = (numbered[number] for number in range(total)) if total is not None else numbered
    console = Console(stderr=True)
    each = iter(track(each, name, total, console=console, transient=True, disable=not console.is_terminal))
    while chunk := list(islice(each, CHUNK)):
        yield chunk


def _read_images(rows: list[dict], images: dict[str, str | None]) -> None:
    """Note for each image file that is not known yet what is wrong with it, or `None`."""
    paths = {image for row in rows if not row.get("broken") for image in row_images(row) if isinstance(image, str)}
    new = [path for path in paths if path not in images]
    with ThreadPoolExecutor() as pool:
        images.update(zip(new, pool.map(_wrong_with, new), strict=True))


def _wrong_with(image) -> str | None:
    try:
        load_image(image)
    except (ValueError, OSError) as error:
        return " ".join(str(error).split())
    return None


def _check_row(check: SetCheck, row: dict, collator: SequenceCollator, images: dict[str, str | None]) -> bool:
    """Count a row; whether it can be used."""
    name = row.get("source") or row.get("key") or f"{check.name}, row {row.get('row')}"
    if row.get("broken"):
        check.broken.append(f"{name}: {row['broken']}")
        return False
    for image in row_images(row):
        if wrong := images[image] if isinstance(image, str) else _wrong_with(image):
            check.unreadable.append(f"{name}: {wrong}")
            return False
    try:
        cut = collator.count_cut(row)
    except ValueError as error:
        check.broken.append(f"{name}: {error}")
        return False
    check.rows += 1
    if cut:
        check.cut.append(f"{name}: {cut} tokens are cut off")
    return True


def _draw(check: SetCheck, count: int, output: Path) -> None:
    """Write pictures with their boxes, and their texts beside them in `metadata.jsonl`."""
    folder = output / re.sub(r"[^\w.+-]+", "_", check.name)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, row in enumerate(check.first[:count]):
        texts = [text for message in row.get("messages", []) for text in _texts(message["content"])] or [row["text"]]
        for place, image in enumerate(row_images(row)):
            picture = load_image(image)
            phrases = [phrase for text in texts for phrase in parse_grounding(text, picture.size).phrases]
            name = f"{number}.jpg" if place == 0 else f"{number}-{place}.jpg"
            draw_boxes(picture, phrases).save(folder / name, quality=90)
            lines.append({"file_name": name, "source": row.get("source"), "text": "\n".join(texts)})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _texts(content) -> list[str]:
    return [content] if isinstance(content, str) else [part["text"] for part in content if part["type"] == "text"]


def _print(checks: list[SetCheck], collator: SequenceCollator) -> None:
    console = Console()
    table = Table("set", *("rows", "left out", "missing", "unreadable", "broken", "cut"))
    for column in table.columns[1:]:
        column.justify = "right"
    for check in checks:
        lists = (check.missing, check.unreadable, check.broken, check.cut)
        counts = [check.rows, check.left_out.total(), *map(len, lists)]
        table.add_row(check.name, *(["-"] * 6 if check.failure else map(str, counts)))
    for check in checks:
        console.print()
        console.print(f"[bold]{check.name}[/bold]", highlight=False)
        for reason, count in check.left_out.most_common():
            console.print(f"{count} left out: {reason}", soft_wrap=True, highlight=False, markup=False)
        for kind in ("missing", "unreadable", "broken", "cut"):
            if names := getattr(check, kind):
                line = f"{len(names)} {kind}, first: {names[0]}"
                console.print(line, soft_wrap=True, highlight=False, markup=False)
        print_sequences(collator, check.first[:1], console)
        if check.problem:
            console.print(check.problem, style="bold red", soft_wrap=True, highlight=False, markup=False)
    console.print()
    console.print(table)
