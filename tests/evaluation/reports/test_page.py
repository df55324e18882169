"""The page is read as a browser reads it: its text, its pictures, and that it asks for nothing else."""

import re

import pytest
from helpers.pages import Page
from PIL import Image

from minigpt4.evaluation.reports import write_report
from minigpt4.evaluation.running import Result
from minigpt4.evaluation.scoring import grounding_accuracy, vqa_accuracy
from minigpt4.processing.drawing import COLOURS


HOSTILE = '<script>alert("x")</script>'


def result(task: str, samples: list[dict], **fields) -> Result:
    facts = {
        "title": f"{task} title",
        "model": "nano",
        "value": 50.0,
        "interval": (40.0, 60.0),
        "n": len(samples),
        "of": len(samples),
        "failed": 0,
        "unparsable": None,
        "unjudged": 0,
        "measure": "accuracy",
        "figures": {},
    }
    return Result(task, samples=samples, **facts | fields)


@pytest.fixture
def refcoco(tmp_path):
    Image.new("RGB", (200, 100), "white").save(tmp_path / "white.png")
    target = {"boxes": [[20, 20, 100, 80]], "width": 200, "height": 100}
    answers = ["{<10><20><50><80>}", "{<60><20><90><80>}", "left"]
    samples = [
        {
            "id": str(index),
            "image": "white.png",
            "prompt": "[refer] give me the location of the dog",
            "answer": answer,
            "finished": index != 2,
            "target": target,
            "scores": grounding_accuracy.score(answer, target),
        }
        for index, answer in enumerate(answers)
    ]
    published = [{"model": "MiniGPT-v2", "value": 88.7, "version": "first"}]
    return result("refcoco", samples, of=10, unparsable=1, published=published, notes=["a note"])


@pytest.fixture
def okvqa():
    people = ["cat"] * 8 + ["dog"] * 2
    said = ["cat", HOSTILE, "a big red bird"]
    samples = [
        {"id": one, "image": "gone.jpg", "prompt": "What is it?", "answer": one, "target": people}
        | {"scores": vqa_accuracy.score(one, people)}
        for one in said
    ]
    failed = {"id": "4", "prompt": "?", "error": "picture 4 is broken", "target": people, "scores": {"score": 0.0}}
    return result("okvqa", [*samples, failed], failed=1)


def test_the_page_is_whole(refcoco, okvqa, tmp_path):
    file = write_report([refcoco, okvqa], tmp_path / "report.html", data=tmp_path)
    html = file.read_text(encoding="utf-8")
    page = Page(html)
    assert page.addresses == []
    assert not re.search(r"url\(|@import", html)
    assert "script" not in page.tags
    for said in (
        "3 of 10 (part)",
        "MiniGPT-v2, first: 88.7",
        "-38.7",
        "40.0 to 60.0",
        "1 unparsable",
        "Boxes: what is right in orange and the answer's in blue.",
        "refcoco title: a note",
        "A score on part of a set is not comparable",
        HOSTILE,
        "picture 4 is broken",
        "cat (8), dog (2)",
        "gone.jpg cannot be read",
        "the answer has no end",
        "Score by length of the answer",
    ):
        assert said in page.text, said
    assert page.tags.count("svg") == 2  # all tasks, and lengths of the one that has several
    assert not list(tmp_path.glob("*.html.*"))


def test_boxes_are_drawn(refcoco, tmp_path):
    """The right one and the answer's, in two colours; two misses, of which one has no box."""
    page = Page(write_report([refcoco], tmp_path / "report.html", data=tmp_path).read_text(encoding="utf-8"))
    assert [picture.size for picture in page.pictures] == [(200, 100)] * 3
    right, answer = (tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5)) for colour in COLOURS[:2])
    shown = [(near(picture, right), near(picture, answer)) for picture in page.pictures]
    assert shown[0][1]  # the hit: the answer covers the right one
    assert sorted(shown[1:]) == [(True, False), (True, True)]


def near(picture: Image.Image, colour: tuple[int, ...]) -> bool:
    pixels = (
        picture.convert("RGB").get_flattened_data() if hasattr(picture, "get_flattened_data") else picture.getdata()
    )
    return sum(max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) < 60 for pixel in pixels) > 100


def test_hits_where_lower_is_better(tmp_path):
    samples = [
        {"id": name, "prompt": "Describe it.", "answer": name, "target": None, "scores": {"score": score}}
        for name, score in (("fails", 1.0), ("is good", 0.0), ("unknown", None))
    ]
    made = result("failure", samples, lower_is_better=True, unjudged=1)
    text = Page(write_report([made], tmp_path / "r.html", data=tmp_path).read_text(encoding="utf-8")).text
    assert text.index("Hits") < text.index("is good") < text.index("Misses") < text.index("fails")
    assert "unknown" not in text


def test_what_nobody_has_judged_has_no_figure(tmp_path):
    samples = [{"id": "1", "prompt": "Why is this funny?", "answer": "It is.", "scores": {"score": None}}]
    made = result("advanced", samples, unjudged=1, published=[{"model": "A", "value": 65.0, "version": "first"}])
    text = Page(write_report([made], tmp_path / "r.html", data=tmp_path).read_text(encoding="utf-8")).text
    assert "not judged" in text
    assert "-15.0" not in text


@pytest.mark.parametrize(
    ("results", "data", "message"), [([], ".", "at least one result"), ([None], "absent", "absent is not a folder")]
)
def test_errors(results, data, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_report(results, tmp_path / "report.html", data=data)
    assert not (tmp_path / "report.html").exists()
