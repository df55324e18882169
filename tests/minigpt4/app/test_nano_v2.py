"""The tasks on the page in a real browser, with the model that learned them."""

import random
from itertools import islice

import pytest
from playwright.sync_api import expect

from minigpt4 import nano_path
from minigpt4.app.boxes import placed, placed_text
from minigpt4.app.examples import examples_for
from minigpt4.evaluation.scenes.boxed import draw_boxed, request, sample_boxed_scenes, score_answer
from minigpt4.inference.answering import answer
from minigpt4.inference.turns import user_turn
from minigpt4.loading import load
from minigpt4.processing import format_box, load_image, parse_grounding
from minigpt4.processing.tasks import TASKS

from .conftest import served
from .test_page import answers, choose, opened, ready, say, upload


POINTED = ("refer", "detection", "identify")


@pytest.fixture(scope="module")
def v2_page():
    """Address of a page with nano-v2."""
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
    examples = examples_for(str(nano_path("v2")), str(tmp_path), list(TASKS))
    texts = [f"{each.text} {format_box(each.box, (100, 100))}" if each.box else each.text for each in examples]
    expected = said([(text, load_image(each.file)) for text, each in zip(texts, examples, strict=True)])
    for number, text in enumerate(expected):
        page.locator("#chat .example").nth(number).click()
        expect(answers(page)).to_have_text(placed_text(parse_grounding(text)) or text)
        ready(page)
        expect(page.locator("#chat .bot rect.edge")).to_have_count(len(parse_grounding(text).boxes))
        page.get_by_role("button", name="New chat").click()
        expect(page.locator("#chat .example")).to_have_count(len(TASKS))


@pytest.mark.parametrize(("task", "button"), [("refer", "Find one thing"), ("detection", "Find all")])
def test_task_buttons_find_the_thing(context, v2_page, shown, said, task, button):
    _, wanted, file = shown[task]
    page = opened(context, v2_page)
    upload(page, file)
    choose(page, button)
    words = wanted.instruction.partition("[refer] give me the location of ")[2] or wanted.phrases[0].words
    page.locator("#textbox textarea").press_sequentially(words)
    say(page)
    expect(page.locator("#chat .user .words")).to_have_text(wanted.instruction)
    ready(page)
    [text] = said([(wanted.instruction, load_image(str(file)))])
    expect(answers(page)).to_have_text(placed_text(parse_grounding(text)))
    expect(page.locator("#chat .bot rect.edge")).to_have_count(len(parse_grounding(text).boxes))


def test_what_is_in_a_box_that_was_drawn(context, v2_page, shown):
    _, wanted, file = shown["identify"]
    page = opened(context, v2_page)
    upload(page, file)
    choose(page, "What is in a box")
    frame = page.locator("#picker .frame")
    expect(frame).to_be_visible()
    frame.scroll_into_view_if_needed()
    area = frame.bounding_box()
    x1, y1, x2, y2 = (int(side) for side in parse_grounding(wanted.instruction).boxes[0])
    page.mouse.move(area["x"] + x1 / 100 * area["width"], area["y"] + y1 / 100 * area["height"])
    page.mouse.down()
    page.mouse.move(area["x"] + x2 / 100 * area["width"], area["y"] + y2 / 100 * area["height"])
    page.mouse.up()
    expect(page.locator("#picker .help")).to_contain_text(
        f"Box: {placed(parse_grounding(wanted.instruction).boxes[0])}"
    )
    say(page)
    expect(answers(page)).to_have_text(wanted.answer)
