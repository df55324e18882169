import random
from itertools import islice

import pytest

from minigpt4.evaluation.scenes.boxed import request, sample_boxed_scenes
from minigpt4.evaluation.scenes.boxed.forms import FORMS, form_of
from minigpt4.evaluation.scenes.boxed.scoring import score_answer, summarise_tasks, task_rows
from minigpt4.evaluation.scenes.boxed.wording import CHAT, Phrase, Request
from minigpt4.evaluation.scenes.boxed.world import BoxedScene
from minigpt4.processing.boxes import Box
from minigpt4.processing.tasks import TASKS


# The scorer asks the scene for nothing but its size.
SCENE = BoxedScene("white", (), (200, 100))
RED, BLUE = Box(20, 10, 60, 50), Box(100, 0, 200, 100)
REFER = Request("refer", "[refer] red circle", "{<10><10><30><50>}", phrases=(Phrase("red circle", (RED,)),))
DETECT = Request(
    "detection",
    "[detection] circle",
    "<p>circle</p> {<10><10><30><50>}<delim>{<50><0><100><100>}",
    phrases=(Phrase("circle", (RED, BLUE)),),
)
GROUND = Request(
    "grounding",
    "[grounding] please describe this image in details",
    "<p>a small red circle</p> {<10><10><30><50>} and <p>a large blue ring</p> {<50><0><100><100>} on a white background",
    phrases=(Phrase("a small red circle", (RED,)), Phrase("a large blue ring", (BLUE,))),
)
IDENTIFY = Request("identify", "[identify] {<10><10><30><50>}", "a small red circle")
CAPTION = Request("caption", "[caption] A photo of ", "a red circle, a red circle and a blue ring on white")
VQA = Request("vqa", "[vqa] what colour is the circle?", "red", "colour")


def score(asked: Request, answer: str, finished: bool = True):
    return score_answer(SCENE, asked, answer, finished)


@pytest.fixture(scope="module")
def requests():
    rng = random.Random(0)
    scenes = islice(sample_boxed_scenes("scoring"), 60)
    return [(scene, request(scene, task, rng)) for scene in scenes for task in (*TASKS, CHAT)]


def test_right_answers_have_the_form_of_their_task(requests):
    for _, asked in requests:
        assert form_of(asked.answer) == asked.task, asked.answer


def test_right_answers_get_full_marks(requests):
    asked = [(scene, each) for scene, each in requests if each.task != CHAT]
    scores = [score_answer(scene, each, each.answer) for scene, each in asked]
    assert all(one.right for one in scores)
    summary = summarise_tasks([each for _, each in asked], scores)
    assert summary["unparsable"] == 0
    # Hundredths are truncated, so that even right boxes are not the exact ones.
    rows = dict(task_rows(summary))
    assert 0.9 < rows.pop("[refer] mean IoU") < 1
    assert rows.pop("failure: answer not in the form of its task") == 0
    assert set(rows.values()) == {1}
    assert all(summary["forms"][task][form] == (task == form) for task in TASKS for form in FORMS)


def test_answers_to_other_requests_are_wrong(requests):
    """Each answer of one scene, given for another: the form is right, and hardly anything else."""
    by_task = {task: [(scene, each) for scene, each in requests if each.task == task] for task in TASKS}
    for task in ("refer", "detection", "grounding", "caption", "identify"):
        pairs = by_task[task]
        others = [*pairs[1:], pairs[0]]
        scores = [score_answer(*pair, other.answer) for pair, (_, other) in zip(pairs, others, strict=True)]
        assert all(one.form == task for one in scores)
        assert sum(one.right for one in scores) < 5, task


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        ("{<1><2><3><4>}", "refer"),
        (" {<1><2><3><4>}\n", "refer"),
        ("{<1><2><3><4>}<delim>{<5><6><7><8>}", "other"),
        ("at {<1><2><3><4>}", "other"),
        ("{<1><2><3>}", "other"),
        ("{<1><2><3><400>}", "other"),
        ("{<30><20><10><40>}", "other"),
        ("<p>circle</p> {<1><2><3><4>}", "detection"),
        ("<p>circle</p> {<1><2><3><4>}<delim>{<5><6><7><8>}", "detection"),
        ("<p>circle</p>", "other"),
        ("<p>circle</p> {<1><2><3><4>} {<5>", "other"),
        ("<p>a circle</p> {<1><2><3><4>} on a white background", "grounding"),
        ("<p>a</p> {<1><2><3><4>} and {<1><2><3><4>}", "other"),
        ("a small red circle", "identify"),
        ("small red circle", "other"),
        ("a red circle on white", "caption"),
        ("a red circle, a blue ring and a pink star on beige", "caption"),
        ("a red circle", "other"),
        ("red", "vqa"),
        ("top-left", "vqa"),
        ("The circle is red.", CHAT),
        ("", "other"),
        ("red red", "other"),
    ],
)
def test_forms(answer, form):
    assert form_of(answer) == form


def test_an_answer_without_an_end_has_no_form():
    assert score(REFER, REFER.answer, finished=False).form == "other"
    assert not score(REFER, REFER.answer, finished=False).right
    assert score(REFER, REFER.answer).right


def test_one_box_is_measured_in_pixels():
    half = score(REFER, "{<10><10><20><50>}")  # its left half
    assert half.iou == pytest.approx(0.5)
    assert not half.right  # IoU must be above it
    assert score(REFER, "{<10><10><21><50>}").right
    assert score(REFER, "<p>red circle</p> {<10><10><30><50>}").iou == 0.0  # another task's form
    assert score(REFER, "{<50><0><100><100>}").iou == 0.0


@pytest.mark.parametrize(
    ("answer", "found", "said", "right"),
    [
        (DETECT.answer, 2, 2, True),
        ("<p>circle</p> {<50><0><100><100>}<delim>{<10><10><30><50>}", 2, 2, True),  # in any order
        ("<p>circle</p> {<10><10><30><50>}", 1, 1, False),
        ("<p>circle</p> {<10><10><30><50>}<delim>{<10><10><30><50>}", 1, 2, False),  # twice the same
        ("<p>circle</p> {<10><10><30><50>}<delim>{<50><0><100><100>}<delim>{<0><0><9><9>}", 2, 3, False),
        ("<p>ring</p> {<10><10><30><50>}<delim>{<50><0><100><100>}", 2, 2, False),
        ("{<10><10><30><50>}<delim>{<50><0><100><100>}", 2, 2, False),
        ("red", 0, 0, False),
    ],
)
def test_all_of_a_kind(answer, found, said, right):
    made = score(DETECT, answer)
    assert (made.found, made.asked, made.said, made.right) == (found, 2, said, right)


@pytest.mark.parametrize(
    ("changed", "into", "found", "right"),
    [
        ("and", "and", 2, True),
        ("red circle", "red ring", 1, False),
        ("{<10><10><30><50>}", "{<50><0><100><100>}", 1, False),
        ("white", "black", 2, False),
        ("{<50><0><100><100>}", "{<50><0><100><100>}<delim>{<0><0><1><1>}", 2, True),
    ],
)
def test_phrases_with_their_boxes(changed, into, found, right):
    made = score(GROUND, GROUND.answer.replace(changed, into))
    assert (made.found, made.asked, made.right) == (found, 2, right)


def test_equal_phrases_are_told_apart_by_their_boxes():
    twice = Request(
        "grounding", "", "", phrases=(Phrase("a small red ring", (RED,)), Phrase("a small red ring", (BLUE,)))
    )
    one, other = "<p>a small red ring</p> {<10><10><30><50>}", "<p>a small red ring</p> {<50><0><100><100>}"
    assert score(twice, f"{other} and {one} on").found == 2
    assert score(twice, f"{one} and {one} on").found == 1


def test_words():
    assert score(IDENTIFY, "A small red  circle").right
    assert not score(IDENTIFY, "a large red circle").right
    assert not score(IDENTIFY, "a small red circle {<10><10><30><50>}").right
    assert score(VQA, "red").right
    assert not score(VQA, "The circle is red.").right  # right, but another form
    made = score(CAPTION, "a red circle and a pink star on white")
    assert (made.found, made.asked, made.said, made.right) == (1, 3, 2, False)
    assert score(CAPTION, CAPTION.answer).right


def test_shares_of_forms_and_of_kinds():
    asked = [VQA, Request("vqa", "[vqa] how many?", "two", "count"), REFER, IDENTIFY]
    answers = ["red", "three", "a small red circle", "nothing to see here"]
    summary = summarise_tasks(asked, [score(*pair) for pair in zip(asked, answers, strict=True)])
    assert summary["unparsable"] == 0.5
    assert summary["forms"]["vqa"]["vqa"] == 1
    assert summary["forms"]["refer"] == {**dict.fromkeys(FORMS, 0), "identify": 1}
    assert summary["forms"]["identify"]["other"] == 1
    assert summary["tasks"]["vqa"] == {"right": 0.5, "by_kind": {"colour": 1, "count": 0}}
    assert summary["tasks"]["refer"] == {"right": 0, "mean_iou": 0}
    assert set(summary["tasks"]) == {"vqa", "refer", "identify"}
