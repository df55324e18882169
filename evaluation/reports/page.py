"""A page with the results of evaluation, in one file that needs no other."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from PIL.Image import Image

from minigpt4.checkpoints.writing import unfinished_file
from minigpt4.evaluation.running.results import Result
from minigpt4.evaluation.running.tables import counted, lost, notes_of
from minigpt4.evaluation.tasks.index import all_tasks

from .chart import Mark, draw_bars
from .examples import LEGEND, figure_of, hits_and_misses
from .groups import GROUPINGS, Bar, right_boxes


EXAMPLES = 8


def write_report(
    results: Sequence[Result], file: str | Path, data: str | Path = ".", examples: int = EXAMPLES
) -> Path:
    """
    Write the results of a model as a page: a table, charts of the scores by task, length of the answer, size of the object and
    kind of question, and pictures of hits and misses with the boxes drawn.

    Args:
        results (`list[Result]`): one for each task.
        file (`str` or `Path`): the page, which holds its pictures and charts.
        data (`str` or `Path`, *optional*, defaults to the current folder): where the results' pictures are.
        examples (`int`, *optional*, defaults to 8): hits, and as many misses, of each task.

    Returns:
        `Path`: the page.

    Raises:
        ValueError: no results, or a folder that does not exist.
    """
    if not results:
        raise ValueError("A report needs at least one result.")
    if not Path(data).is_dir():
        raise ValueError(f"{data} is not a folder: give the one that the results' pictures are in.")
    models = ", ".join(dict.fromkeys(result.model for result in results))
    body = "\n".join([_table(results), _overview(results), *(_task(one, Path(data), examples) for one in results)])
    page = Template(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
    with unfinished_file(Path(file)) as part:
        part.write_text(page.substitute(title=escape(models), body=body), encoding="utf-8")
    return Path(file)


def _table(results: Sequence[Result]) -> str:
    head = ("task", "ours", "95 %", "n", "lost", "published", "difference")
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in _row(result))}</tr>" for result in results)
    listed = "".join(f"<li>{escape(note)}</li>" for note in dict.fromkeys(notes_of(results)))
    return f"<table><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>{rows}</table><ul>{listed}</ul>"


def _row(result: Result) -> list[str]:
    low, high = result.interval
    published = [f"{escape(one['model'])}, {one['version']}: {one['value']:.1f}" for one in result.published]
    differences = [f"{result.value - one['value']:+.1f}" for one in result.published if result.judged]
    scoring = " (scored as published)" if result.published_scoring else ""
    return [
        f"{escape(result.title)}{scoring}{', lower is better' if result.lower_is_better else ''}",
        f"{result.value:.1f}" if result.judged else "not judged",
        f"{low:.1f} to {high:.1f}" if result.judged else "",
        counted(result),
        lost(result),
        "<br>".join(published),
        "<br>".join(differences),
    ]


def _overview(results: Sequence[Result]) -> str:
    results = [one for one in results if one.judged]
    if not results:
        return ""
    bars = [Bar(one.title, one.value, *one.interval, one.n) for one in results]
    marks = [[Mark(f"{mark['model']}, {mark['version']}", mark["value"]) for mark in one.published] for one in results]
    legend = "Bars: ours, with the interval of 95 %. Rings: published figures." if any(marks) else ""
    return f"<h2>By task</h2>{draw_bars(bars, marks)}<p>{legend}</p>"


def _task(result: Result, data: Path, examples: int) -> str:
    samples = result.samples
    charts = [
        f"<h3>Score by {name}</h3>{draw_bars(bars)}"
        for name, group in GROUPINGS.items()
        if (bars := group(samples, 100.0))
    ]
    hits, misses = hits_and_misses(samples, result.lower_is_better, examples)
    drawn = _drawn(result.task, data)
    pictures = [
        f'<h3>{name}</h3><div class="examples">{"".join(figure_of(sample, data, drawn) for sample in chosen)}</div>'
        for name, chosen in (("Hits", hits), ("Misses", misses))
        if chosen
    ]
    if any(right_boxes(sample.get("target")) for sample in (*hits, *misses)):
        pictures.insert(0, f"<p>Boxes: {' and '.join(LEGEND)}.</p>")
    caption = "<p>Means of the samples' scores in per cent, with the normal interval of 95 %.</p>" if charts else ""
    return f"<h2>{escape(result.title)}</h2>{''.join(charts)}{caption}{''.join(pictures)}"


def _drawn(name: str, data: Path) -> dict[str, Image]:
    """The pictures of a task that needs no files, by the ids of its samples: they are drawn again."""
    task = all_tasks().get(name)
    if task is None or task.needs_data:
        return {}
    return {sample.id: sample.image for sample in task.read(data)}
