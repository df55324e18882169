"""Sheets on which people judge answers: written as CSV and as a page with the pictures, read again when they are filled."""

import csv
import html
from collections.abc import Sequence
from pathlib import Path

from minigpt4.checkpoints.writing import unfinished_file
from minigpt4.processing.image_addresses import image_address
from minigpt4.processing.image_loading import AsStored, load_image

from .results import Result
from .scoring import Scorer


COLUMNS = ("id", "kind", "image", "request", "answer", "met")
YES, NO = ("yes", "y", "1", "true"), ("no", "n", "0", "false")
PICTURE_SIDE = 640  # pixels, in the page
# A spreadsheet would compute what begins like this.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Judge the answers</title>
<style>body{{font:16px/1.5 sans-serif;max-width:50rem;margin:auto;padding:1rem}}img{{max-width:100%}}
article{{border-top:1px solid #888;padding:1rem 0}}blockquote{{white-space:pre-wrap;background:#eee;padding:.5rem}}</style>
<h1>Does the answer meet the request?</h1>
<p>Answer every question, then save the sheet. Send it to whoever asked you; one sheet for each person.</p>
{items}
<p><button id="save">Save the sheet</button> <span id="left"></span></p>
<script>
const header = {columns};
function cell(text) {{ return '"' + text.replaceAll('"', '""') + '"'; }}
function update() {{
  const left = document.querySelectorAll('article').length - document.querySelectorAll('input:checked').length;
  document.getElementById('left').textContent = left ? left + ' not judged yet' : 'all judged';
}}
document.addEventListener('change', update);
update();
document.getElementById('save').addEventListener('click', () => {{
  const lines = [header.join(',')];
  for (const article of document.querySelectorAll('article')) {{
    const mark = article.querySelector('input:checked');
    const met = mark ? mark.value : '';
    lines.push(header.map(name => cell(name === 'met' ? met : article.dataset[name])).join(','));
  }}
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([lines.join('\\r\\n') + '\\r\\n'], {{type: 'text/csv'}}));
  link.download = 'sheet.csv';
  link.click();
}});
</script></html>
"""


def write_sheet(result: Result, folder: Path, data: Path) -> tuple[Path, Path]:
    """
    Write the sheet of a result, which people fill with yes or no.

    Args:
        result (`Result`): with the answers.
        folder (`Path`): where to.
        data (`Path`): folder of the pictures.

    Returns:
        `tuple[Path, Path]`: a CSV file, and a page for the browser that holds the pictures and saves the same CSV.
    """
    rows = [_row(sample) for sample in result.samples if "answer" in sample]
    table, page = folder / f"{result.task}-sheet.csv", folder / f"{result.task}-sheet.html"
    with unfinished_file(table) as part, part.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    items = "\n".join(_item(row, data) for row in rows)
    with unfinished_file(page) as part:
        part.write_text(_PAGE.format(items=items, columns=list(COLUMNS)), encoding="utf-8")
    return table, page


def _row(sample: dict) -> dict[str, str]:
    row = {"id": sample["id"], "kind": sample.get("kind", ""), "image": sample.get("image", "")}
    row |= {"request": sample["prompt"], "answer": _no_formula(sample["answer"]), "met": ""}
    return row


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _item(row: dict[str, str], data: Path) -> str:
    facts = " ".join(f'data-{name}="{html.escape(row[name])}"' for name in COLUMNS if name != "met")
    choices = " ".join(
        f'<label><input type="radio" name="{html.escape(row["id"])}" value="{value}"> {value}</label>'
        for value in ("yes", "no")
    )
    return (
        f'<article {facts}><img alt="" src="{_picture(data / row["image"])}"><p><b>{html.escape(row["request"])}</b></p>'
        f"<blockquote>{html.escape(row['answer'])}</blockquote><p>{choices}</p></article>"
    )


def _picture(file: Path) -> str:
    picture = load_image(AsStored(str(file)))
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    return image_address(picture, "jpeg", quality=85)


def read_sheets(files: Sequence[Path]) -> dict[str, list[bool | None]]:
    """
    What people said of each answer, in the order of their sheets.

    Raises:
        ValueError: a file is not a sheet, has an answer twice or something else than yes, no or nothing; or the sheets are of
            different answers.
    """
    marks: list[dict[str, bool | None]] = []
    for file in files:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            if not {"id", "met"} <= set(reader.fieldnames or ()):
                raise ValueError(f"{file} is not a sheet: it has no columns id and met.")
            sheet: dict[str, bool | None] = {}
            for number, row in enumerate(reader, 2):
                said = (row["met"] or "").strip().lower()
                if said and said not in (*YES, *NO):
                    raise ValueError(f"{file} says {said!r} in line {number}: write yes or no, or leave it empty.")
                if row["id"] in sheet:
                    raise ValueError(f"{file} has {row['id']} twice.")
                sheet[row["id"]] = None if not said else said in YES
            marks.append(sheet)
    for file, sheet in zip(files, marks, strict=True):
        if sheet.keys() != marks[0].keys():
            one = min(sheet.keys() ^ marks[0].keys())
            raise ValueError(f"{file} and {files[0]} are not of the same answers: only one of them has {one}.")
    return {id: [sheet[id] for sheet in marks] for id in marks[0]}


def score_sheets(result: Result, files: Sequence[Path]) -> Result:
    """
    The result of a task as people judge it.

    Args:
        result (`Result`): with the answers that the sheets are of.
        files (`Sequence[Path]`): a filled sheet of each person.

    Raises:
        ValueError: as `read_sheets`, or the sheets have an answer that the result lacks.
    """
    from minigpt4.evaluation.tasks.index import all_tasks
    from minigpt4.evaluation.tasks.task import Sample

    from .run import score_task

    marks = read_sheets(files)
    known = {sample["id"] for sample in result.samples}
    if strange := sorted(marks.keys() - known):
        raise ValueError(
            f"{files[0]} has {strange[0]}, which {result.model} did not answer: give the sheets of this result."
        )
    names = {name for sample in result.samples for name in sample} - {"scores"}
    rows = [
        {name: sample[name] for name in names if name in sample}
        | {"marks": marks.get(sample["id"], [None] * len(files))}
        for sample in result.samples
    ]
    samples = [
        Sample(row["id"], row.get("image", ""), row.get("words", ""), row.get("target"), kind=row.get("kind", ""))
        for row in rows
    ]
    return score_task(
        Scorer(all_tasks()[result.task], result.published_scoring),
        samples,
        rows,
        model=result.model,
        of=result.of,
        data=Path(),
        settings=result.settings,
    )
