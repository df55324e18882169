"""The scenes with boxes as tasks: of any model, in comparisons and on the page."""

import json

import pytest
from helpers.pages import Page

from minigpt4.evaluation.reports import write_report
from minigpt4.evaluation.running import Result
from minigpt4.evaluation.running.run import score_task
from minigpt4.evaluation.running.scoring import Scorer
from minigpt4.evaluation.scenes.boxed.held_out import boxed_requests
from minigpt4.evaluation.tasks import find_tasks
from minigpt4.processing.tasks import TASKS as WORDINGS


SCENES = 6


@pytest.fixture(autouse=True)
def few_scenes(monkeypatch):
    monkeypatch.setattr("minigpt4.evaluation.tasks.boxed_scenes.SCENES", SCENES)


def scored(name: str, answer, tmp_path):
    """The result of a task whose samples are answered by a function."""
    [task] = find_tasks(f"boxed-{name}")
    samples = list(task.read(tmp_path))
    rows = [
        {
            "id": one.id,
            "prompt": task.request(one, tuple(WORDINGS)),
            "answer": answer(number, samples),
            "finished": True,
        }
        for number, one in enumerate(samples)
    ]
    facts = {"model": "known", "of": len(samples), "data": tmp_path, "settings": {}}
    return Result(**json.loads(json.dumps(vars(score_task(Scorer(task), samples, rows, **facts)))))


def right(number, samples):
    return samples[number].target["answer"]


def of_another(number, samples):
    return samples[number - 1].target["answer"]


@pytest.mark.parametrize("name", WORDINGS)
def test_right_answers_get_full_marks_and_others_do_not(name, tmp_path):
    made, other = (scored(name, answer, tmp_path) for answer in (right, of_another))
    assert (made.value, made.n, made.unparsable) == (100.0, SCENES, 0)
    assert other.value < 100
    assert other.unparsable == 0  # of the right form still
    assert made.figures.get("recall", 1) == made.figures.get("precision", 1) == 1
    silent = scored(name, lambda number, samples: "", tmp_path)
    assert (silent.value, silent.unparsable) == (0.0, SCENES)


def test_what_is_asked_is_a_published_wording_or_its_words(tmp_path):
    _, _, requests = boxed_requests(SCENES, 0)
    for name in WORDINGS:
        [task] = find_tasks(f"boxed-{name}")
        samples = list(task.read(tmp_path))
        assert [task.request(one, tuple(WORDINGS)) for one in samples] == [one.instruction for one in requests[name]]
        assert [task.request(one, ()) for one in samples] == [one.words for one in requests[name]]


def test_the_page_draws_scenes_and_boxes_again(tmp_path):
    """Of a result that was read from a file, which holds no pictures."""
    results = [scored(name, of_another, tmp_path) for name in ("refer", "vqa")]
    page = Page(write_report(results, tmp_path / "report.html", tmp_path).read_text(encoding="utf-8"))
    assert len(page.pictures) == 2 * SCENES
    assert "Boxes: what is right in orange and the answer's in blue." in page.text
    assert "Score by kind of question" in page.text
    assert results[0].samples[0]["target"]["answer"] in page.text


def test_any_model_and_several_side_by_side(command, tiny_checkpoint, tiny_v2_checkpoint, tmp_path):
    for name, model, asked in (("v2", tiny_v2_checkpoint, "[refer] "), ("other", tiny_checkpoint, "")):
        tasks = ("boxed-refer", "boxed-vqa")
        made = command("evaluate", *tasks, "--model", model, "--limit", 2, "--output", tmp_path / name, "--json")
        assert made.code == 0, made.err
        assert [one["n"] for one in json.loads(made.out).values()] == [2, 2]
        first = json.loads((tmp_path / name / "boxed-refer.json").read_text())["samples"][0]
        assert first["prompt"] == asked + first["words"]
        assert "data:image/jpeg;base64," in (tmp_path / name / "report.html").read_text()
    compared = command("evaluate", "compare", tmp_path / "v2", tmp_path / "other")
    assert compared.code == 0, compared.err
    assert "[refer]" in compared.out
    assert "[vqa]" in compared.out
