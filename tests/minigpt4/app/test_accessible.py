"""The page for those who use the keyboard, a screen reader or a finger; and what it says of itself."""

import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from minigpt4.evaluation.scenes import describe

from .test_page import EXAMPLES, answers, choose, opened, ready, say, scene_file, upload  # noqa: F401


RULES = {"rules": {"target-size": {"enabled": True}}}  # targets of 24 px, of WCAG 2.2, are not among axe's defaults


def violations(page) -> list[str]:
    """What axe-core finds, in light and in dark."""
    found = []
    for dark in (False, True):
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", dark)
        page.wait_for_function("document.getAnimations().every(each => each.playState !== 'running')")
        for rule in Axe().run(page, options=RULES).response["violations"]:
            nodes = [node["html"][:150] + str(node["failureSummary"])[:300] for node in rule["nodes"]]
            found.append(f"{'dark' if dark else 'light'} {rule['id']}: {nodes}")
    return found


def test_axe_finds_nothing_in_any_view(context, boxes_page, scene_file):  # noqa: F811
    page = opened(context, boxes_page)
    assert violations(page) == []
    upload(page, scene_file)
    choose(page, "What is in a box")
    expect(page.locator("#picker .frame")).to_be_visible()
    say(page)
    expect(page.locator("#notice")).to_contain_text("Draw a box")
    assert violations(page) == []
    choose(page, "Describe with boxes")
    say(page)
    expect(answers(page).first).to_have_text("a dog on a mat & <b>")
    ready(page)
    page.locator("#chat").get_by_label("Edit").first.click()
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_label("number input for Top p")).to_be_visible()
    assert violations(page) == []


def test_where_the_keyboard_is_can_be_seen_and_answers_are_heard(context, nano_page):
    page = opened(context, nano_page)
    page.evaluate(
        """() => { window.heard = []; new MutationObserver(() => {
            const text = document.querySelector('#heard')?.textContent;
            if (text) window.heard.push(text);
        }).observe(document.body, {subtree: true, childList: true, characterData: true}); }"""
    )
    page.locator("#chat .example").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#heard[role=status]")).to_have_text(describe(EXAMPLES[0]))
    assert len(set(page.evaluate("window.heard"))) == 1  # the whole answer, and nothing of it before
    expect(page.get_by_role("log")).to_have_attribute("aria-live", "off")
    page.keyboard.press("Tab")
    unseen = []
    for _ in range(25):
        style = page.evaluate(
            """() => { const {outlineStyle, outlineWidth} = getComputedStyle(document.activeElement);
            return [outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2, document.activeElement.outerHTML.slice(0, 100)] }"""
        )
        if not style[0] and "<body" not in style[1]:
            unseen.append(style[1])
        page.keyboard.press("Tab")
    assert unseen == []


def test_beams_and_what_sampling_needs(context, nano_page):
    page = opened(context, nano_page)
    page.get_by_role("button", name="Settings").click()
    sampling = [page.get_by_label(f"number input for {name}") for name in ("Temperature", "Top p")]
    for each in sampling:
        expect(each).to_be_disabled()
    page.get_by_label("Sample: answers vary").check()
    for each in sampling:
        expect(each).to_be_enabled()
    page.get_by_label("Sample: answers vary").uncheck()
    page.get_by_label("number input for Beams").fill("3")
    page.locator("#chat .example").first.click()
    expect(answers(page)).to_have_count(1)
    ready(page)


def test_title_description_icon_and_model(context, nano_page):
    page = opened(context, nano_page)
    expect(page).to_have_title("MiniGPT-4: talk about pictures")
    expect(page.locator("meta[name=description]")).to_have_attribute("content", re.compile("MiniGPT-4 about pictures"))
    expect(page.locator("#title")).to_contain_text(
        re.compile(r"A model to try\. · \d\.\d+ million parameters · Talks about pictures\s*$")
    )
    icon = page.request.get(f"{nano_page}favicon.ico")
    assert icon.headers["content-type"] == "image/svg+xml"
    assert b"gradio" not in icon.body().lower()
