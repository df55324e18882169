"""The tasks on the page in a real browser, with the model that learned them."""

import random
from itertools import islice

import pytest
from helpers import needs_v2
from playwright.sync_api import expect

from minigpt4.app.examples import draw_examples
from minigpt4.evaluation.scenes.boxed import draw_boxed, request, sample_boxed_scenes, score_answer
from minigpt4.inference.answering import answer
from minigpt4.inference.turns import user_turn
from minigpt4.loading import load
from minigpt4.processing import load_image, parse_grounding
from minigpt4.processing.tasks import TASKS

from .conftest import served
from .test_page import answers, opened, ready, say, upload


pytestmark = needs_v2
POINTED = ("refer", "detection", "identify")


@pytest.fixture(scope="module")
def v2_page():
    """Address of a page with nano-v2."""
    from minigpt4 import nano_path

    yield from served(nano_path("v2"))


@pytest.fixture(scope="module")
def said():
    """What nano-v2 says about pictures without the page."""
    model, processor = load("nano-v2")

    def say_all(asked) -> list[str]:
        chats = [[user_turn(text, picture)] for text, picture in asked]
        return [each.text for each in answer(model, processor, chats, do_sample=False)]

    return say_all


@pytest.fixture(scope="module")
def shown(said, tmp_path_factory):
    """For each task that is about one thing, a request that nano-v2 answers rightly, with its scene and its picture's file."""
    found = {}
    for number, scene in enumerate(islice(sample_boxed_scenes("page", held_out=True), 24)):
        picture = draw_boxed(scene, random.Random(number), scale=3)
        asked = [request(scene, task, random.Random(number), TASKS[task].form) for task in POINTED]
        for each, text in zip(asked, said([(one.instruction, picture) for one in asked]), strict=True):
            if each.task not in found and score_answer(scene, each, text).right:
                file = tmp_path_factory.mktemp("shown") / f"{each.task}.png"
                picture.save(file)
                found[each.task] = scene, each, file
        if len(found) == len(POINTED):
            break
    return found


def test_every_example_is_answered_as_without_the_page(context, v2_page, said, tmp_path):
    page = opened(context, v2_page)
    examples = draw_examples(str(tmp_path), list(TASKS))
    expected = said([(example.text, load_image(example.file)) for example in examples])
    for number, text in enumerate(expected):
        page.locator("#chat .example").nth(number).click()
        expect(answers(page).first).to_have_text(parse_grounding(text).text or text)
        ready(page)
        expect(page.locator("#chat .bot img")).to_have_count(int("{<" in text))
        page.get_by_role("button", name="New chat").click()
        expect(page.locator("#chat .example")).to_have_count(len(TASKS))


@pytest.mark.parametrize("task", ["refer", "detection"])
def test_task_buttons_find_the_thing(context, v2_page, shown, task):
    scene, wanted, file = shown[task]
    page = opened(context, v2_page)
    upload(page, file)
    page.get_by_role("radio", name=f"[{task}]").check()
    say(page, wanted.instruction.partition("[refer] give me the location of ")[2] or wanted.phrases[0].words)
    expect(page.locator("#chat .user.message").last).to_contain_text(wanted.instruction)
    expect(page.locator("#chat .bot img")).to_have_count(1)
    ready(page)
    if task == "refer":  # a box alone is shown as it is
        assert score_answer(scene, wanted, answers(page).first.inner_text()).right
    else:
        expect(page.locator("#chat .bot mark")).to_have_text(wanted.phrases[0].words)


def test_what_is_in_a_box_that_was_drawn(context, v2_page, shown):
    _, wanted, file = shown["identify"]
    page = opened(context, v2_page)
    upload(page, file)
    page.get_by_role("radio", name="[identify]").check()
    frame = page.locator("#picker .frame")
    expect(frame).to_be_visible()
    frame.scroll_into_view_if_needed()
    area = frame.bounding_box()
    x1, y1, x2, y2 = (int(side) for side in parse_grounding(wanted.instruction).boxes[0])
    page.mouse.move(area["x"] + x1 / 100 * area["width"], area["y"] + y1 / 100 * area["height"])
    page.mouse.down()
    page.mouse.move(area["x"] + x2 / 100 * area["width"], area["y"] + y2 / 100 * area["height"])
    page.mouse.up()
    expect(page.locator("#picker .help")).to_contain_text(f"Box: {x1}, {y1}, {x2}, {y2}")
    say(page)
    expect(answers(page)).to_have_text(wanted.answer)
