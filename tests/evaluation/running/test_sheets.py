"""Sheets for people: written with the pictures, filled, read again, and scored with the agreement of the raters."""

import csv

import pytest
from helpers.evaluation_sets import write_picture

from minigpt4.evaluation.running.results import Result, read_result
from minigpt4.evaluation.running.sheets import read_sheets, write_sheet
from minigpt4.evaluation.scoring import people


@pytest.fixture
def result(tmp_path):
    """Four answers, one of which a spreadsheet would compute."""
    samples = []
    for number, kind in enumerate(("humour", "humour", "poem", "story")):
        write_picture(tmp_path / "data" / kind / f"{number}.png", number)
        samples.append(
            {
                "id": f"{kind}/{number}.png",
                "kind": kind,
                "image": f"{kind}/{number}.png",
                "prompt": "Why <b>?",
                "answer": '=1+1 </script>"x"' if number == 0 else f"line one\nline, {number}",
                "scores": {"score": None, "marks": [], "kind": kind},
            }
        )
    facts = {"model": "tiny", "measure": "met", "value": 0.0, "interval": (0.0, 0.0), "failed": 0, "unparsable": None}
    made = Result("advanced", "Advanced", n=4, of=4, unjudged=4, figures={}, samples=samples, **facts)
    made.write(tmp_path / "out")
    return made


def fill(sheet, file, marks):
    with sheet.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row, mark in zip(rows, marks, strict=True):
        row["met"] = mark
    with file.open("w", encoding="utf-8-sig", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return file


def test_sheets_are_filled_and_scored(result, command, tmp_path):
    sheet, _ = write_sheet(result, tmp_path / "out", tmp_path / "data")
    first = fill(sheet, tmp_path / "first.csv", ["yes", "YES", "no", ""])
    second = fill(sheet, tmp_path / "second.csv", ["y", "no", "No", ""])
    scored = command("evaluate", "sheets", tmp_path / "out" / "advanced.json", first, second)
    assert scored.code == 0, scored.err
    made = read_result(tmp_path / "out" / "advanced.json")
    assert made.figures["by_kind"] == {"humour": 0.75, "poem": 0.0}
    assert made.value == pytest.approx(50.0)
    assert (made.unjudged, made.figures["raters"]) == (1, 2)
    assert made.figures["agreement"] == pytest.approx(2 / 3)
    assert made.figures["kappa"] == pytest.approx(0.4)  # 2/3 agree, 4/9 by chance
    assert "agreement 66.7 %" in scored.out
    assert [sample["answer"] for sample in made.samples] == [sample["answer"] for sample in result.samples]


def test_a_spreadsheet_computes_nothing_and_the_page_shows_text(result, tmp_path):
    sheet, page = write_sheet(result, tmp_path / "out", tmp_path / "data")
    with sheet.open(encoding="utf-8-sig", newline="") as lines:
        assert next(csv.DictReader(lines))["answer"].startswith("'=1+1")
    text = page.read_text()
    assert text.count("data:image/jpeg;base64,") == 4
    assert "Why &lt;b&gt;?" in text
    assert text.count("</script>") == 1
    assert "http" not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,met\na,perhaps\n", "says 'perhaps' in line 2: write yes or no"),
        ("id,met\na,yes\na,no\n", "has a twice"),
        ("name\na\n", "is not a sheet"),
        ("id,met\nb,yes\n", "are not of the same answers: only one of them has"),
    ],
)
def test_what_is_no_sheet(tmp_path, text, message):
    (tmp_path / "one.csv").write_text("id,met\na,yes\n")
    (tmp_path / "other.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_sheets([tmp_path / "one.csv", tmp_path / "other.csv"])


def test_kappa_by_hand():
    """Of 50 answers both say yes to 20 and no to 15: the example of many textbooks, 0.4."""
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    assert people.cohens_kappa(pairs) == pytest.approx(0.4)
    assert people.cohens_kappa([(True, True)]) is None
