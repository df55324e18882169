"""The tasks on the page in a real browser, with the model that learned them: the answers are right."""

import random
from itertools import islice
from pathlib import Path

import pytest
from helpers import needs_v2
from playwright.sync_api import expect

from minigpt4.evaluation.scenes.boxed import draw_boxed, request, sample_boxed_scenes, score_answer
from minigpt4.processing.tasks import TASKS

from .conftest import served
from .test_page import answers, opened, ready, say, upload


pytestmark = needs_v2
SCENE = next(sample_boxed_scenes(seed=7, held_out=True))


@pytest.fixture(scope="module")
def v2_page():
    """Address of a page with nano-v2."""
    from minigpt4 import nano_path

    yield from served(nano_path("v2"))


@pytest.fixture
def boxed_file(tmp_path) -> Path:
    path = tmp_path / "boxed.png"
    draw_boxed(SCENE, random.Random(0), scale=3).save(path)
    return path


def asked(task: str):
    return request(SCENE, task, random.Random(task), TASKS[task].form)


def test_every_example_is_answered_rightly(context, v2_page):
    page = opened(context, v2_page)
    examples = zip(TASKS, islice(sample_boxed_scenes(seed=0, held_out=True), len(TASKS)), strict=True)
    for number, (task, scene) in enumerate(examples):
        wanted = request(scene, task, random.Random(task), TASKS[task].form)
        page.locator("#chat .example").nth(number).click()
        expect(answers(page)).to_have_count(1)
        ready(page)
        expect(page.locator("#chat .user.message").last).to_contain_text(wanted.instruction.strip())
        # Of boxes the page shows words only; they are checked on the picture below.
        if task in ("vqa", "caption", "identify"):
            expect(answers(page)).to_have_text(wanted.answer)
        else:
            expect(page.locator("#chat .bot img")).to_have_count(1)
        page.get_by_role("button", name="New chat").click()
        expect(page.locator("#chat .example")).to_have_count(len(TASKS))


@pytest.mark.parametrize("task", ["refer", "detection"])
def test_task_buttons(context, v2_page, boxed_file, task):
    page = opened(context, v2_page)
    upload(page, boxed_file)
    page.get_by_label(f"[{task}]").check()
    wanted = asked(task)
    say(page, wanted.phrases[0].words)
    expect(page.locator("#chat .user.message").last).to_contain_text(wanted.instruction)
    expect(page.locator("#chat .bot img")).to_have_count(1)
    if task == "refer":
        ready(page)
        assert score_answer(SCENE, wanted, answers(page).first.inner_text()).right
    else:
        expect(page.locator("#chat .bot mark")).to_have_text(wanted.phrases[0].words)


def test_what_is_in_a_box_that_was_drawn(context, v2_page, boxed_file):
    page = opened(context, v2_page)
    upload(page, boxed_file)
    page.get_by_label("[identify]").check()
    frame = page.locator("#picker .frame")
    expect(frame).to_be_visible()
    frame.scroll_into_view_if_needed()
    area, wanted = frame.bounding_box(), asked("identify")
    x1, y1, x2, y2 = wanted.phrases[0].boxes[0]
    width, height = SCENE.size
    page.mouse.move(area["x"] + x1 / width * area["width"], area["y"] + y1 / height * area["height"])
    page.mouse.down()
    page.mouse.move(area["x"] + x2 / width * area["width"], area["y"] + y2 / height * area["height"])
    page.mouse.up()
    expect(page.locator("#picker .help")).to_contain_text("Box: ")
    say(page)
    expect(answers(page)).to_have_text(wanted.answer)
