"""Check the data of a recipe: read all of it once, without training."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from minigpt4.checkpoints.strangers import printable
from minigpt4.processing.boxes import parse_grounding
from minigpt4.processing.drawing import draw_boxes
from minigpt4.processing.image_loading import load_image
from minigpt4.training.model import load_processor
from minigpt4.training.recipe import Recipe
from minigpt4.training.reports.preview import print_sequences
from minigpt4.training.row import Row, row_images, row_texts
from minigpt4.training.sequences.collation import SequenceCollator

from .rows import Rows
from .sources import load_entry, load_rows, named_data


CHUNK = 256  # rows whose images are read side by side
NAMED = 10  # of each kind are printed
KINDS = ("missing", "unreadable", "broken", "cut")

Problem = tuple[str, str]  # its kind, and what is wrong


@dataclass
class SetCheck:
    """
    The result for one set. Each unusable row is listed with its problem.

    Args:
        name (`str`): of the set.
        max_broken (`float`): the maximum share of unusable rows.
        rows (`int`): usable rows.
        left_out (`Counter[str]`): rows that the published training excludes, by reason.
        missing, unreadable (`list[str]`): rows without their image or shard, or with a file that is not an image.
        broken (`list[str]`): malformed rows, and rows with nothing to learn.
        cut (`list[str]`): usable rows that exceed a limit of the recipe.
        stops (`list[str]`): unusable rows that stop training regardless of `max_broken`.
        first (`list[Row]`): the first usable rows.
        failure (`str`, *optional*): why the set cannot be read completely.
    """

    name: str
    max_broken: float
    rows: int = 0
    left_out: Counter = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    first: list[Row] = field(default_factory=list)
    failure: str | None = None

    @property
    def share(self) -> float:
        """The share of the rows that cannot be used."""
        unusable = len(self.missing) + len(self.unreadable) + len(self.broken)
        return unusable / max(1, unusable + self.rows)

    @property
    def problem(self) -> str | None:
        """Why the set cannot be trained on; `None` if it can."""
        if self.failure:
            return self.failure
        if self.rows == 0:
            return "There are no usable rows."
        if self.share > self.max_broken:
            return f"{self.share:.1%} of the rows cannot be used, and max_broken allows {self.max_broken:.1%}."
        if self.stops:
            return f"{len(self.stops)} of these rows stop training regardless of max_broken, first: {self.stops[0]}"
        return None


def check_data(recipe: Recipe, show: int = 0, output: Path | None = None) -> bool:
    """
    Read all data that a recipe trains on, and print a table and an example of each set as the model sees it.

    Args:
        recipe (`Recipe`): from [`read_recipe`].
        show (`int`, *optional*, defaults to 0): number of rows of each set to draw, with their boxes.
        output (`Path`, *optional*): the folder to draw them into, one folder for each set.

    Returns:
        `bool`: whether every set can be trained on, with no more than `max_broken` of its rows unusable.

    Raises:
        ValueError: the recipe has no data.
    """
    data, named = recipe.data, named_data(recipe.data)
    collator = SequenceCollator(load_processor(recipe.model), recipe.sequence, seed=recipe.args.seed)
    entries = named if isinstance(named, list) else [named]
    images: dict[str, Problem | None] = {}  # sets share them
    checks = []
    for entry in entries:
        settings: Mapping = entry if isinstance(entry, Mapping) else {"name": entry}
        check = SetCheck(str(settings.get("name")), settings.get("max_broken", data.max_broken))
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
    data, is_listed = recipe.data, isinstance(recipe.data.data, list)
    if is_listed:
        _, rows = load_entry(entry, data, keep_going=True)
    else:
        rows = load_rows(entry, data, data.data_split, data.data_rows, keep_going=True)
    report = rows.report
    check.left_out, check.missing, check.broken = report.left_out, [*report.missing], [*report.broken]
    if report.must_be_whole:
        check.stops += report.unusable
    # Mixtures pass over images that cannot be read.
    is_mixed = is_listed or rows.length is None
    lost_shards = 0
    for chunk in _chunks(check.name, rows, recipe.args.seed):
        _read_images(chunk, images)
        for row in chunk:
            if _check_row(check, row, collator, images, is_mixed) and len(check.first) < keep:
                check.first.append(row)
            lost_shards += (row.get("broken") or "").endswith("shard")
    if lost_shards > check.max_broken * rows.num_shards:
        raise ValueError(
            f"{lost_shards} of {rows.num_shards} shards cannot be used, and max_broken allows {check.max_broken:.1%}."
        )


def _chunks(name: str, rows: Rows, seed: int) -> Iterator[list[Row]]:
    console, quiet = Console(stderr=True), not Console(stderr=True).is_terminal
    each = iter(track(rows.numbered(seed), name, rows.length, console=console, transient=True, disable=quiet))
    while chunk := list(islice(each, CHUNK)):
        yield chunk


def _read_images(rows: list[Row], images: dict[str, Problem | None]) -> None:
    """Record the problem of each new image file, or `None`."""
    paths = {image for row in rows if not row.get("broken") for image in row_images(row) if isinstance(image, str)}
    new = [path for path in paths if path not in images]
    with ThreadPoolExecutor() as pool:
        images.update(zip(new, pool.map(_wrong_with, new), strict=True))


def _wrong_with(image) -> Problem | None:
    try:
        load_image(image)
    except FileNotFoundError:
        return "missing", f"there is no {image}"
    except (ValueError, OSError) as error:
        return "unreadable", " ".join(str(error).split())
    return None


def _check_row(
    check: SetCheck, row: Row, collator: SequenceCollator, images: dict[str, Problem | None], is_mixed: bool
) -> bool:
    """Count a row; return whether it is usable."""
    name = row.get("source") or row.get("key") or f"{check.name}, row {row.get('row')}"
    if why := row.get("broken"):  # of a stream
        kind = "missing" if why in ("missing image", "missing shard") else "broken"
        getattr(check, kind).append(f"{name}: {why}")
        return False
    for image in row_images(row):
        if wrong := images[image] if isinstance(image, str) else _wrong_with(image):
            kind, why = wrong
            getattr(check, kind).append(f"{name}: {why}")
            if not is_mixed:
                check.stops.append(f"{name}: {why}")
            return False
    try:
        cut = collator.count_cut(row)
    except ValueError as error:
        check.broken.append(f"{name}: {error}")
        check.stops.append(f"{name}: {error}")
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
        texts = row_texts(row)
        for place, image in enumerate(row_images(row)):
            picture = load_image(image)
            phrases = [phrase for text in texts for phrase in parse_grounding(text, picture.size).phrases]
            name = f"{number}.jpg" if place == 0 else f"{number}-{place}.jpg"
            draw_boxes(picture, phrases).save(folder / name, quality=90)
            lines.append({"file_name": name, "source": row.get("source"), "text": "\n".join(texts)})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _print(checks: list[SetCheck], collator: SequenceCollator) -> None:
    console = Console()
    table = Table("set", "rows", "left out", *KINDS)
    for column in table.columns[1:]:
        column.justify = "right"
    for check in checks:
        counts = [check.rows, check.left_out.total(), *(len(getattr(check, kind)) for kind in KINDS)]
        # What cannot be read at all has no rows that could be counted.
        table.add_row(check.name, *(["-"] * len(counts) if check.failure and not any(counts) else map(str, counts)))
    for check in checks:
        console.print()
        console.print(f"[bold]{check.name}[/bold]", highlight=False)
        for reason, count in check.left_out.most_common():
            console.print(f"{count} left out: {reason}", soft_wrap=True, highlight=False, markup=False)
        for kind in KINDS:
            if names := getattr(check, kind):
                lines = [f"{len(names)} {kind}, first: {names[0]}", *(f"  {name}" for name in names[1:NAMED])]
                lines += [f"  and {len(names) - NAMED} more"] * (len(names) > NAMED)
                console.print("\n".join(map(printable, lines)), soft_wrap=True, highlight=False, markup=False)
        print_sequences(collator, check.first[:1], console)
        if check.problem:
            console.print(printable(check.problem), style="bold red", soft_wrap=True, highlight=False, markup=False)
    console.print()
    console.print(table)
