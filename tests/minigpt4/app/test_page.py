"""The page as its users see it, in a real browser."""

import json
import random
import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from minigpt4 import nano_path
from minigpt4.app.examples import examples_for
from minigpt4.evaluation.scenes import describe, draw, sample_scenes
from minigpt4.inference.conversation import Conversation
from minigpt4.loading import load
from minigpt4.processing import load_image


SCENES = [scene for scene, _ in zip(sample_scenes(seed=3, held_out=True), range(3), strict=False)]
EXAMPLES = [scene for scene, _ in zip(sample_scenes(seed=0, held_out=True), range(3), strict=False)]
WAIT = 20_000  # milliseconds; an answer takes a fraction of a second on an idle machine
expect.set_options(timeout=WAIT)


@pytest.fixture
def scene_file(tmp_path) -> Path:
    path = tmp_path / "scene.png"
    draw(SCENES[0], size=192, rng=random.Random(0)).save(path)
    return path


def opened(context, address: str) -> Page:
    page = context.new_page()
    page.goto(address)
    expect(page.locator("#textbox textarea")).to_be_visible()
    expect(page.locator("html[data-arrived]")).to_be_attached()
    return page


def upload(page: Page, *files: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_label("Upload a file").click()
    chooser.value.set_files([str(file) for file in files])
    expect(page.locator("#textbox .thumbnail-image")).to_have_count(len(files))


def say(page: Page, text: str = "") -> None:
    if text:
        page.fill("#textbox textarea", text)
    page.press("#textbox textarea", "Enter")


def answers(page: Page):
    return page.locator("#chat .bot.message .words")


def ready(page: Page) -> None:
    """The answer is complete: what is written next can be sent."""
    expect(page.get_by_test_id("submit-button")).to_be_visible()


def spoken(folder: Path, example: int, *questions: str) -> list[str]:
    """What nano says about an example without the page."""
    conversation = Conversation(*load())
    conversation.show(load_image(examples_for(str(nano_path()), str(folder))[example].file))
    return ["".join(conversation.stream(question)) for question in questions]


# Talking


def test_upload_ask_streamed_answer_and_second_turn(context, nano_page, scene_file):
    page = opened(context, nano_page)
    page.evaluate(
        """() => { window.seen = []; new MutationObserver(() => {
            const text = document.querySelector('#chat .bot.message .words')?.innerText;
            if (text && text !== window.seen.at(-1)) window.seen.push(text);
        }).observe(document.querySelector('#chat'), {subtree: true, childList: true, characterData: true}); }"""
    )
    upload(page, scene_file)
    say(page, "Describe this image in detail.")
    truth = describe(SCENES[0])
    expect(answers(page)).to_have_text(truth)
    seen = page.evaluate("window.seen")
    assert len(seen) > 2
    assert all(truth.startswith(text) for text in seen)
    ready(page)
    expect(page.locator("#textbox textarea")).to_have_value("")
    say(page, "How many objects are there?")  # without the picture: it is remembered
    expect(answers(page)).to_have_count(2)
    expect(answers(page).last).to_contain_text("two objects")
    expect(page.locator("#chat .user img")).to_have_count(1)


def test_a_picture_alone_is_described(context, nano_page, scene_file):
    page = opened(context, nano_page)
    upload(page, scene_file)
    say(page)
    expect(page.locator("#chat .user.message").last).to_contain_text("Describe this image in detail.")
    expect(answers(page)).to_have_text(describe(SCENES[0]))


def test_several_pictures_over_several_turns(context, nano_page, scene_file, tmp_path):
    other = tmp_path / "other.png"
    draw(SCENES[1], size=192).save(other)
    page = opened(context, nano_page)
    upload(page, scene_file, other)
    say(page, "What is different?")
    expect(answers(page)).to_have_count(1)
    ready(page)
    expect(page.locator("#chat .user img")).to_have_count(2)
    upload(page, other)
    say(page)
    expect(answers(page)).to_have_count(2)
    ready(page)
    expect(page.locator("#chat .user img")).to_have_count(3)
    sources = page.locator("#chat .user img").evaluate_all("all => all.map(image => image.src)")
    pictures = [Image.open(BytesIO(page.request.get(source).body())) for source in sources]
    assert pictures[1].tobytes() == pictures[2].tobytes() != pictures[0].tobytes()


def test_again_edit_and_new_chat(context, nano_page, tmp_path):
    page = opened(context, nano_page)
    page.locator("#chat .example").first.click()
    expect(answers(page)).to_have_text(describe(EXAMPLES[0]))
    ready(page)
    page.get_by_role("button", name="Answer again").click()
    expect(answers(page)).to_have_text(describe(EXAMPLES[0]))
    ready(page)
    say(page, "How many objects are there?")
    expect(answers(page)).to_have_count(2)
    ready(page)
    page.locator("#chat").get_by_label("Edit").first.click()
    page.get_by_label("Edit your message").fill("How many objects are there?")
    page.locator("#chat").get_by_label("Submit").click()
    expect(answers(page)).to_have_count(1)  # what followed the edited message is gone
    expect(answers(page)).to_have_text(spoken(tmp_path, 0, "How many objects are there?")[-1])
    expect(page.locator("#chat .user img")).to_have_count(1)
    ready(page)
    page.get_by_role("button", name="New chat").click()
    expect(page.locator("#chat .example")).to_have_count(3)
    expect(answers(page)).to_have_count(0)


def test_stop(context, endless_page):
    page = opened(context, endless_page)
    say(page, "Talk and talk")
    expect(answers(page)).to_contain_text(re.compile(".{20}"))
    page.get_by_label("Stop").click()
    expect(page.locator("#notice")).to_contain_text("Stopped: the answer is incomplete.")
    ready(page)
    assert len(answers(page).inner_text()) >= 20
    say(page, "Once more")
    expect(answers(page)).to_have_count(2)
    expect(answers(page).last).to_contain_text(re.compile(".{5}"))
    page.get_by_role("button", name="New chat").click()  # also ends what is being said
    expect(page.locator("#chat .example")).to_have_count(3)
    ready(page)


def test_settings_of_the_answer(context, nano_page):
    page = opened(context, nano_page)
    # Opened before the first answer: when they first open, gradio writes their starting values once more in the next
    # frame of the browser. Nobody types that fast, but `fill` does.
    page.get_by_role("button", name="Settings").click()
    page.locator("#chat .example").first.click()
    expect(answers(page)).to_have_text(describe(EXAMPLES[0]))
    ready(page)
    page.get_by_label("number input for Maximum length of an answer, in tokens").fill("3")
    page.get_by_role("button", name="Answer again").click()
    expect(answers(page)).to_have_text(re.compile(r"^\s*\S+(\s+\S+){0,2}\s*$"))
    expect(page.locator("#notice")).to_contain_text("The answer reached its maximum length, 3 tokens")


def test_two_users_at_once(browser, nano_page, tmp_path):
    contexts = [browser.new_context() for _ in range(2)]
    pages = [opened(context, nano_page) for context in contexts]
    for index, page in enumerate(pages):
        page.locator("#chat .example").nth(2 * index).click()
    for index, page in enumerate(pages):
        expect(answers(page)).to_have_text(describe(EXAMPLES[2 * index]))
        ready(page)
    question = "How many objects are there?"
    for page in pages:
        say(page, question)
    said = [spoken(tmp_path, example, "Describe this image in detail.", question)[-1] for example in (0, 2)]
    assert said[0] != said[1]
    for page, expected in zip(pages, said, strict=True):
        expect(answers(page)).to_have_count(2)
        expect(answers(page).last).to_have_text(expected)
    for context in contexts:
        context.close()


def test_keyboard_alone(context, nano_page):
    page = opened(context, nano_page)
    page.locator("#chat .example").first.focus()
    page.keyboard.press("Enter")
    expect(answers(page)).to_have_text(describe(EXAMPLES[0]))
    ready(page)
    page.get_by_role("button", name="New chat").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(answers(page)).to_have_count(0)


def test_phone(browser, nano_page):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = opened(context, nano_page)
    page.locator("#chat .example").first.tap()
    expect(answers(page)).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    size = page.evaluate("parseFloat(getComputedStyle(document.querySelector('#chat .bot.message .words')).fontSize)")
    assert size >= 14
    page.set_viewport_size({"width": 390, "height": 500})  # as when a keyboard comes up: what was read stays in view
    page.wait_for_function(
        "() => { const log = document.querySelector('#chat .log');"
        " return log.scrollHeight > log.clientHeight + 40 && log.scrollTop + log.clientHeight > log.scrollHeight - 5 }"
    )
    context.close()


# Boxes


def choose(page: Page, task: str) -> None:
    page.locator("#task label", has_text=task).click()


def test_boxes_are_drawn_and_phrases_coloured_to_match(context, boxes_page, scene_file):
    page = opened(context, boxes_page)
    upload(page, scene_file)
    choose(page, "Describe with boxes")
    expect(page.locator("#textbox textarea")).to_have_value("[grounding] please describe this image in details")
    say(page)
    expect(answers(page)).to_have_text("a dog on a mat & <b>")  # and nothing of it is taken for HTML
    colours = page.locator("#chat mark").evaluate_all("all => all.map(mark => getComputedStyle(mark).backgroundColor)")
    edges = page.locator("#chat rect.edge").evaluate_all("all => all.map(edge => getComputedStyle(edge).stroke)")
    assert len(set(colours)) == 2
    assert sorted(edges) == sorted(colours)


def test_identify_with_the_mouse(context, boxes_page, scene_file):
    page = opened(context, boxes_page)
    upload(page, scene_file)
    choose(page, "What is in a box")
    frame = page.locator("#picker .frame")
    expect(frame).to_be_visible()
    say(page)
    expect(page.locator("#notice")).to_have_text("Draw a box on the picture first.")
    frame.scroll_into_view_if_needed()
    area = frame.bounding_box()
    page.mouse.move(area["x"] + 0.75 * area["width"], area["y"] + 0.5 * area["height"])
    page.mouse.down()
    page.mouse.move(area["x"] + 0.5 * area["width"], area["y"] + 0.7 * area["height"])
    page.mouse.move(area["x"] + 0.25 * area["width"], area["y"] + area["height"] + 5)  # outside: taken to the edge
    page.mouse.up()
    expect(page.locator("#picker .help")).to_contain_text("Box: 25–75 % across, 50–100 % down")  # noqa: RUF001
    say(page)
    expect(page.locator("#chat .user .words")).to_have_text("[identify] what is this")
    expect(answers(page)).to_have_text("a dog")
    expect(page.locator("#chat .user img")).to_have_count(2)  # the picture, and the box on it
    expect(page.locator("#chat .user li")).to_have_text("25–75 % across, 50–100 % down")  # noqa: RUF001


def test_identify_with_the_keyboard(context, boxes_page, scene_file):
    page = opened(context, boxes_page)
    upload(page, scene_file)
    choose(page, "What is in a box")
    page.locator("#picker .frame").focus()
    for key in ["ArrowLeft", "ArrowLeft", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown"]:
        page.keyboard.press(key)
        expect(page.locator("#picker .frame")).to_be_focused()
    expect(page.locator("#picker .help")).to_contain_text("Box: 38–60 % across, 38–60 % down")  # noqa: RUF001


def test_a_task_says_what_it_lacks(context, boxes_page, scene_file):
    page = opened(context, boxes_page)
    choose(page, "Find one thing")
    expect(page.locator("#textbox textarea")).to_have_value("[refer] give me the location of ")
    say(page)
    expect(page.locator("#notice")).to_have_text("[refer] is about a picture: add one.")
    upload(page, scene_file)
    say(page)
    expect(page.locator("#notice")).to_have_text("[refer] needs words. Write what to find: the red cup.")
    page.locator("#textbox textarea").press_sequentially("the dog")
    say(page)
    expect(answers(page)).to_have_text("25–75 % across, 50–100 % down")  # noqa: RUF001
    expect(page.locator("#chat .bot rect.edge")).to_have_count(1)


def test_several_boxes_of_a_phrase_and_what_was_wrong_with_them(context, boxes_page, scene_file):
    page = opened(context, boxes_page)
    upload(page, scene_file)
    choose(page, "Find all")
    page.locator("#textbox textarea").press_sequentially("dogs")
    say(page)
    expect(page.locator("#chat .bot mark")).to_have_text("dogs")
    edges = page.locator("#chat .bot rect.edge").evaluate_all("all => all.map(edge => edge.getAttribute('stroke'))")
    assert len(edges) == 2
    assert len(set(edges)) == 1  # one phrase, one colour
    ready(page)
    page.get_by_role("button", name="New chat").click()
    upload(page, scene_file)
    page.locator("#textbox textarea").press_sequentially("[detection] cats", delay=30)
    say(page)
    expect(page.locator("#notice")).to_contain_text("Not all boxes were right: <delim> (not understood); {<0><0>")
    expect(page.locator("#chat .bot rect.edge")).to_have_count(1)


def test_no_tasks_where_the_checkpoint_has_none(context, nano_page):
    page = opened(context, nano_page)
    expect(page.locator("#task")).to_have_count(0)


# What goes wrong


def test_nothing_to_send(context, nano_page):
    page = opened(context, nano_page)
    say(page, "   ")
    expect(page.locator("#notice [role=alert]")).to_contain_text("There is nothing to send yet")
    page.locator("#chat .example").first.click()
    expect(answers(page)).to_have_text(describe(EXAMPLES[0]))
    ready(page)
    say(page)
    expect(page.locator("#notice [role=alert]")).to_contain_text("There is nothing to send yet")
    expect(answers(page)).to_have_count(1)


def test_too_many_pictures(context, nano_page, scene_file, tmp_path):
    page = opened(context, nano_page)
    many = [tmp_path / f"{number}.png" for number in range(9)]
    for file in many:
        file.write_bytes(scene_file.read_bytes())
    upload(page, *many)
    say(page, "What is this?")
    expect(page.locator("#notice")).to_contain_text("9 pictures are too many: a message takes at most 8.")
    expect(page.locator("#textbox textarea")).to_have_value("What is this?")


def test_a_chat_that_is_too_long_is_said_and_can_go_on(context, nano_page):
    page = opened(context, nano_page)
    say(page, "red circle " * 2000)
    expect(page.locator("#notice")).to_contain_text("tokens")
    assert "Traceback" not in page.content()
    page.fill("#textbox textarea", "")
    page.locator("#chat .example").first.click()
    expect(answers(page)).to_have_text(describe(EXAMPLES[0]))
    expect(page.locator("#notice")).to_have_count(0)


# Closed to everything but the page


def test_nothing_comes_from_elsewhere(context, nano_page):
    asked = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(nano_page)
    page.locator("#chat .example").first.click()
    expect(answers(page)).to_have_text(describe(EXAMPLES[0]))
    assert {url for url in asked if not url.startswith((nano_page, "data:", "blob:"))} == set()
    assert nano_page.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    "path", ["/etc/passwd", str(Path(__file__).resolve()), "../../../../etc/passwd", "file:///etc/passwd"]
)
def test_no_file_of_the_server_can_be_read(context, nano_page, path):
    assert "no path of the server" not in Path("/etc/passwd").read_text()
    for route in ("gradio_api/file=", "file=", "gradio_api/file/"):
        answer = context.request.get(f"{nano_page}{route}{path}")
        assert answer.status in (403, 404)
        assert "root:" not in answer.text()
        assert "sample_scenes" not in answer.text()


def test_no_file_of_the_server_can_be_sent_for(context, nano_page, scene_file):
    """A message that claims to have uploaded a file which it has not."""
    config = context.request.get(f"{nano_page}config").json()
    submit = next(
        event for event in config["dependencies"] if [target[1] for target in event["targets"]] == ["submit"]
    )
    claimed = {"path": str(scene_file), "meta": {"_type": "gradio.FileData"}}
    data = [{"text": "", "files": [claimed]}, None, None, 10, 1, False, 1, 1]
    answer = context.request.post(
        f"{nano_page}gradio_api/queue/join",
        data=json.dumps({"data": data, "fn_index": submit["id"], "session_hash": "someone"}),
        headers={"content-type": "application/json"},
    )
    events = context.request.get(f"{nano_page}gradio_api/queue/data?session_hash=someone").text() if answer.ok else ""
    assert '"success":false' in events or not answer.ok
    assert "Traceback" not in events
    assert scene_file.name not in events
