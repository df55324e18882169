"""Results as tables: ours beside the published figures, and several results side by side."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .comparing import Comparison
from .results import Result


NOTHING = "-"
WIDE = 160  # columns where nobody's window sets them
VERSIONS = ("first", "later")


def figure(value: float, bounds: tuple[float, float] | None = None, sign: bool = False) -> str:
    """A figure with its interval, as `31.4 [29.9, 32.8]`."""
    text = f"{value:+.1f}" if sign else f"{value:.1f}"
    return text if bounds is None else f"{text} [{bounds[0]:.1f}, {bounds[1]:.1f}]"


def published_rows(result: Result) -> list[tuple[str, float, dict[str, float]]]:
    """The published models of a result: their names, our figure beside theirs, and theirs by the version of the paper."""
    rows: dict[tuple[str, str], tuple[float, dict[str, float]]] = {}
    for one in [*result.published, *result.others_published]:
        figure = one.get("figure", "")
        our_figure = result.figures[figure] * one["scale"] if figure else result.value
        rows.setdefault((one["model"], figure), (our_figure, {}))[1][one["version"]] = one["value"]
    return [(f"{model}, {figure}" if figure else model, *known) for (model, figure), known in rows.items()]


def ours(result: Result) -> str:
    """Our figure with its interval, if there is one; and the metric's others that a paper has."""
    if not result.judged:
        return NOTHING
    others = {one["figure"]: one["scale"] for one in result.others_published}
    lines = [figure(result.value, result.interval)]
    lines += [f"{name} {figure(result.figures[name] * scale)}" for name, scale in others.items()]
    return "\n".join(lines)


def counted(result: Result) -> str:
    """How many samples; whether they are the whole set."""
    return f"{result.n} of {result.of} (part)" if result.partial else str(result.n)


def lost(result: Result) -> str:
    """What could not be scored as an answer: unparsable, failed, unjudged."""
    counts = {"unparsable": result.unparsable or 0, "failed": result.failed, "unjudged": result.unjudged}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "0"


def results_table(results: Sequence[Result]) -> Table:
    """A row for each task, with a line for each published model."""
    models = ", ".join(dict.fromkeys(result.model for result in results))
    table = Table(title=f"{escape(models)}, with 95 % intervals", show_lines=True)
    for name, right in (("task", False), ("ours", True), ("n", True), ("lost", False), ("published", False)):
        table.add_column(name, justify="right" if right else "left")
    for name in ("first", "later", "difference"):
        table.add_column(name, justify="right")
    for result in results:
        rows = published_rows(result)
        lines = [
            (
                model,
                *(figure(known[version]) if version in known else NOTHING for version in VERSIONS),
                ", ".join(figure(our_figure - known[version], sign=True) for version in VERSIONS if version in known),
            )
            for model, our_figure, known in rows
        ] or [(NOTHING,) * 4]
        columns = ("\n".join(column) for column in zip(*lines, strict=True))
        scoring = " (as published)" if result.published_scoring else ""
        table.add_row(f"{escape(result.title)}{scoring}", ours(result), counted(result), lost(result), *columns)
    return table


def comparison_table(comparison: Comparison) -> Table:
    """A row for each task, a column for each result, and the differences from the first."""
    table = Table(title="Results with 95 % intervals; differences from the first, paired", show_lines=True)
    table.add_column("task")
    for name in comparison.names:
        table.add_column(name, justify="right")
    for name in comparison.names[1:]:
        table.add_column(f"{name} - {comparison.names[0]}", justify="right")
    table.add_column("n", justify="right")
    table.add_column("published")
    for row in comparison.rows:
        published = "\n".join(
            f"{model} {', '.join(f'{figure(value)} ({version})' for version, value in known.items())}"
            for model, _, known in published_rows(row.results[0])
        )
        table.add_row(
            escape(row.results[0].title),
            *(f"{ours(result)}{_lost(result)}" for result in row.results),
            *(figure(one.value, one.interval, sign=True) for one in row.differences),
            f"{row.shared} of {row.results[0].of} (part)" if row.shared < row.results[0].of else str(row.shared),
            published or NOTHING,
        )
    return table


def _lost(result: Result) -> str:
    return "" if (text := lost(result)) == "0" else f"\n{text}"


def print_table(table: Table, notes: Sequence[str] = ()) -> None:
    """Print a table, and what a reader must know below it."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDE
    console.print(table)
    for note in dict.fromkeys(notes):
        console.print(note, soft_wrap=True, markup=False)


def notes_of(results: Sequence[Result]) -> list[str]:
    """What a reader of the results must know, once each."""
    notes = [f"{result.title}: {note}" for result in results for note in result.notes]
    if any(result.partial for result in results):
        notes.append("A score on part of a set is not comparable with published figures.")
    if not any(result.published_scoring for result in results) and any(result.published for result in results):
        notes.append(
            "The published figures were scored by the published programs: --published-scoring does as they do."
        )
    return notes
