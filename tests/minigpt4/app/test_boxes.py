"""Boxes on the page, what users write about them, and where everything has its place."""

import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from minigpt4.app.actions import Actions
from minigpt4.app.visitors import Visitor
from minigpt4.loading import load

from .conftest import BOX
from .test_page import answers, choose, opened, ready, say, scene_file, upload  # noqa: F401


PLACES = ["a mat: 0–100 % across, 60–100 % down", "a dog: 25–75 % across, 50–100 % down"]  # noqa: RUF001
PLAIN = '<script>alert("a")</script> **b** &lt;  two spaces\n# and $$x$$ a line <!-- c -->'


@pytest.fixture(scope="module")
def page(browser, boxes_page):
    """A page with an answer in boxes, in a window of 1280 x 800."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, permissions=["clipboard-read", "clipboard-write"]
    )
    yield opened(context, boxes_page)
    context.close()


@pytest.fixture
def answered(page, scene_file):  # noqa: F811
    """The same, with a conversation of one answer."""
    page.get_by_role("button", name="New chat").click()
    upload(page, scene_file)
    choose(page, "Describe with boxes")
    say(page)
    expect(answers(page)).to_have_text("a dog on a mat & <b>")
    ready(page)
    return page


def copied(page, message: str) -> str:
    page.locator(f"#chat .{message}").get_by_label("Copy").click()
    expect(page.locator(f"#chat .{message} .copy.done")).to_be_visible()
    return page.evaluate("navigator.clipboard.readText()")


def lit(page) -> list[list[str]]:
    """What is lit of the answer, and what is dim: the numbers of the phrases of marks, boxes and labels."""
    return [
        sorted(set(page.locator(f"#chat .bot .{state}").evaluate_all("all => all.map(each => each.dataset.phrase)")))
        for state in ("lit", "dim")
    ]


def test_boxes_lie_over_a_picture_as_wide_as_the_chat(answered, tmp_path):
    page = answered
    picture = page.locator("#chat .bot img").bounding_box()
    inside = page.locator("#chat .log").evaluate(
        "log => { const {paddingLeft, paddingRight} = getComputedStyle(log);"
        " return log.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight); }"
    )
    assert picture["width"] == pytest.approx(inside, abs=1)
    mat, dog = (each.bounding_box() for each in page.locator("#chat .bot rect.edge").all())  # the larger one below
    for box, (x1, y1, x2, y2) in ((dog, (25, 50, 75, 100)), (mat, (0, 60, 100, 100))):
        assert box["x"] - picture["x"] == pytest.approx(picture["width"] * x1 / 100, abs=4)
        assert box["y"] - picture["y"] == pytest.approx(picture["height"] * y1 / 100, abs=4)
        assert box["width"] == pytest.approx(picture["width"] * (x2 - x1) / 100, abs=8)
        assert box["height"] == pytest.approx(picture["height"] * (y2 - y1) / 100, abs=8)
    for label in page.locator("#chat .bot .label").all():
        assert label.bounding_box()["x"] + label.bounding_box()["width"] <= picture["x"] + picture["width"] + 1
        assert label.evaluate("label => parseFloat(getComputedStyle(label).fontSize)") >= 14
    # Labels that would cover each other stand below each other.
    page.evaluate(
        "() => { const [one, other] = document.querySelectorAll('#chat .bot .label');"
        " for (const side of ['top', 'left', 'right']) other.style[side] = one.style[side]; }"
    )
    page.set_viewport_size({"width": 1280, "height": 780})
    page.wait_for_function(
        "() => { const [one, other] = [...document.querySelectorAll('#chat .bot .label')].map(each => each.getBoundingClientRect());"
        " return one.left < other.right && other.left < one.right && one.bottom <= other.top }"
    )
    page.set_viewport_size({"width": 1280, "height": 800})
    assert "{<" not in page.locator("#chat").inner_text()
    page.locator("#chat .bot summary").click()
    assert page.locator("#chat .bot li").all_inner_texts() == PLACES

    with page.expect_download() as download:
        page.get_by_label("Download the picture with boxes").click()
    download.value.save_as(tmp_path / "boxes.webp")
    with Image.open(tmp_path / "boxes.webp") as drawn:
        assert drawn.size == (384, 384)
        red, _, blue = drawn.convert("RGB").getpixel((97, 300))  # the left side of the dog: 25 % of the width
    assert red > blue + 60

    page.get_by_label("Full screen").click()
    page.wait_for_function("document.fullscreenElement?.matches('.view')")
    filled = "() => { const {width, height} = document.querySelector('.bot .frame').getBoundingClientRect();"
    page.wait_for_function(
        filled + " return Math.abs(Math.min(innerWidth, innerHeight) - Math.min(width, height)) < 2; }"
    )
    page.evaluate("document.exitFullscreen()")
    page.wait_for_function("!document.fullscreenElement")


def test_phrases_and_boxes_light_each_other_and_copies_are_clean(answered):
    page = answered
    dog, mat = page.locator("#chat .bot mark").all()
    dog.hover()
    assert lit(page) == [["0"], ["1"]]
    page.mouse.move(1, 1)  # focusing scrolls, and what came to lie under the mouse would light up
    mat.focus()
    assert lit(page) == [["1"], ["0"]]
    page.locator("#chat .bot g[data-phrase='0']").focus()
    assert lit(page) == [["0"], ["1"]]
    expect(dog).to_have_class(re.compile("lit"))
    page.locator("#chat .bot rect.edge").last.hover(position={"x": 5, "y": 5})
    assert lit(page) == [["0"], ["1"]]
    page.mouse.move(1, 1)
    assert copied(page, "bot") == "a dog on a mat & <b>"


def test_what_was_typed_is_shown_copied_and_edited_exactly(page):
    page.get_by_role("button", name="New chat").click()
    say(page, PLAIN)
    expect(answers(page)).to_have_count(1)
    ready(page)
    assert page.locator("#chat .user .words").inner_text() == PLAIN
    assert copied(page, "user") == PLAIN
    page.locator("#chat").get_by_label("Edit").click()
    expect(page.get_by_label("Edit your message")).to_have_value(PLAIN)
    page.keyboard.press("Escape")
    expect(page.locator("#chat .user .words")).to_be_visible()


def test_a_task_words_the_text_and_own_words_stay(page, scene_file):  # noqa: F811
    text = page.locator("#textbox textarea")
    chosen = page.locator("#task input:checked")
    page.get_by_role("button", name="New chat").click()
    upload(page, scene_file)
    page.fill("#textbox textarea", "what colour is this thing?")
    for task, worded in {
        "Find one thing": "[refer] give me the location of what colour is this thing?",
        "What is in a box": "[identify] what colour is this thing?",
    }.items():
        choose(page, task)
        expect(text).to_have_value(worded)
        expect(text).to_be_focused()
    page.locator("#picker .frame").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#picker .help")).to_contain_text("Box: 40–60 % across, 40–60 % down")  # noqa: RUF001
    text.press("Enter")
    expect(page.locator("#chat .user .words")).to_have_text("[identify] what colour is this thing?")
    expect(page.locator("#chat .user rect.edge")).to_have_count(1)
    ready(page)
    expect(chosen).to_have_value("")  # as the text, which is empty again
    page.locator("#task input").nth(1).focus()
    page.keyboard.press("Space")
    expect(text).to_have_value(re.compile(r"^\[vqa\] "))
    expect(text).to_be_focused()
    page.fill("#textbox textarea", "[caption] Briefly describe this image.")
    expect(chosen).to_have_value("caption")
    choose(page, "Chat")
    expect(text).to_have_value("")


@pytest.mark.parametrize("size", [(1280, 800), (390, 844), (640, 400)], ids=["desktop", "phone", "zoom of 200 %"])
def test_nothing_is_off_screen(page, size):
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    page.get_by_role("button", name="New chat").click()
    page.get_by_role("button", name="Settings").click()
    drawer = page.get_by_test_id("accordion-content")
    expect(drawer).to_be_visible()
    seen = [page.locator(each) for each in ("#title", "#chat", "#task", "#textbox", "#buttons")]
    for each in [*seen, drawer, *page.locator("#buttons > button, #settings > button").all()]:
        area = each.bounding_box()
        assert area["x"] >= 0
        assert area["y"] >= 0
        assert area["x"] + area["width"] <= width
        assert area["y"] + area["height"] <= height
    assert page.locator("#chat").bounding_box()["height"] >= 100
    assert len({round(each.bounding_box()["y"]) for each in page.locator("#task label").all()}) == 1  # one line
    page.get_by_role("button", name="Settings").click()
    expect(drawer).to_be_hidden()
    choose(page, "Find all")  # which is to be scrolled to on a phone
    expect(page.locator("#task input:checked")).to_have_value("detection")
    choose(page, "Chat")
    assert page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]") == [
        width,
        height,
    ]


def test_the_model_reads_own_words_and_the_box(boxes_checkpoint, scene_file):  # noqa: F811
    actions = Actions(*load(boxes_checkpoint))
    visitor, settings = Visitor(), (2, 1, False, 1.0, 1.0)
    message = {"text": " [identify] what colour is this thing? ", "files": [str(scene_file)]}
    *_, (_, messages, _, _) = actions.send(message, [25, 50, 75, 100], visitor, *settings)
    chat = visitor.chat
    assert chat.conversation.turns[0].text == f"[identify] what colour is this thing? {BOX}"
    assert messages[0]["text"] == message["text"]
    assert messages[0]["view"]["boxes"][0]["box"] == [25, 50, 50, 50]
    list(actions.send({"text": f"[identify] and {BOX}", "files": []}, [1, 2, 3, 4], visitor, *settings))
    assert chat.conversation.turns[1].text == f"[identify] and {BOX}"  # a box that was written counts
    *_, messages = chat.ask_again(0, "[identify] what is this", max_new_tokens=2)
    assert chat.conversation.turns[0].text == f"[identify] what is this {BOX}"
    assert len(messages) == 2
