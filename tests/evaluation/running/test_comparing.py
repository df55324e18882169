"""Any image-text-to-text model through the command line, and several side by side."""

import html
import json

import pytest
from helpers.evaluation_sets import ROWS, write_sets
from helpers.other_models import write_blip2

from minigpt4.evaluation.running import read_results
from minigpt4.evaluation.running.comparing import compare


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Of nano and of a tiny BLIP-2."""
    from minigpt4.cli import run

    folder = tmp_path_factory.mktemp("results")
    sets = write_sets(folder / "sets")
    blip2 = write_blip2(folder / "blip2")
    for name, model in (("nano", ()), ("other", ("--model", str(blip2), "--bf16"))):
        arguments = ["gqa", "aokvqa", *model, "--data", str(sets), "--output", str(folder / name)]
        assert run(["evaluate", *arguments]) == 0
    return folder


def test_nano_and_a_blip2_in_one_table(results, command):
    shown = command("evaluate", "compare", results / "nano", results / "other")
    assert shown.code == 0, shown.err
    words = " ".join(shown.out.split())
    for expected in ("GQA", "A-OKVQA", "nano", "blip2", "MiniGPT-v2", "protocol never published"):
        assert expected in words, expected
    assert "(part)" not in words


def test_a_page_shows_the_results(results):
    page = (results / "nano" / "report.html").read_text(encoding="utf-8")
    for result in read_results(results / "nano"):
        assert result.title in page
        first = result.samples[0]
        said = first["answer"] if "answer" in first else f"candidate {first['scores']['parsed'] + 1}"
        assert said in html.unescape(page)
    assert page.count("data:image/jpeg;base64,") > 2
    assert "cannot be read" not in page


def test_differences_are_paired(results, command):
    made = json.loads(command("evaluate", "compare", results / "nano", results / "other", "--json").out)
    assert made["names"][0] == "nano"
    assert made["missing"] == []
    nano, other = (read_results(results / name) for name in ("nano", "other"))
    for task, ours, theirs in zip(made["tasks"].values(), sorted_by_task(nano), sorted_by_task(other), strict=True):
        assert task["values"] == [ours.value, theirs.value]
        [difference] = task["differences"]
        assert difference["value"] == pytest.approx(theirs.value - ours.value)
        low, high = difference["interval"]
        assert low <= difference["value"] <= high
    same = compare([results / "nano", results / "nano"])
    assert all(one.value == 0 and one.interval == (0.0, 0.0) for row in same.rows for one in row.differences)


def sorted_by_task(results):
    return sorted(results, key=lambda result: result.task)


def test_the_model_without_a_chat_template_is_asked_in_the_plain_form(results):
    [other] = [result for result in read_results(results / "other") if result.task == "gqa"]
    [ours] = [result for result in read_results(results / "nano") if result.task == "gqa"]
    assert other.samples[0]["prompt"] == "Question: What is it? Short answer:"
    assert ours.samples[0]["prompt"] == "Based on the image, respond to this question with a short answer: What is it?"
    assert (other.settings["dtype"], ours.n, other.n) == ("bfloat16", ROWS, ROWS)


def test_what_cannot_be_compared(results, command, tmp_path):
    alone = command("evaluate", "compare", results / "nano")
    assert (alone.code, "at least two" in alone.err) == (2, True)
    (tmp_path / "empty").mkdir()
    empty = command("evaluate", "compare", results / "nano", tmp_path / "empty")
    assert "has no results: give the --output of minigpt4 evaluate" in empty.err
    strange = command("evaluate", "compare", results / "nano", results / "sets" / "vizwiz" / "val.json")
    assert "is not a result of minigpt4 evaluate" in strange.err


def test_wrong_calls_are_one_line(command, tmp_path):
    unknown = command("evaluate", "okvq", "--data", tmp_path)
    assert unknown.code == 1
    assert "There is no task 'okvq'" in unknown.err
    missing = command("evaluate", "okvqa", "--data", tmp_path / "no")
    assert "is not a folder: give the one that holds the sets" in missing.err
    no_model = command("evaluate", "okvqa", "--data", tmp_path, "--model", tmp_path)
    assert "is not a checkpoint" in no_model.err
    assert len(no_model.err.splitlines()) == 1
