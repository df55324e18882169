"""Waiting for an answer, and what is said about how it ended."""

import re

import pytest
from playwright.sync_api import expect

from minigpt4.app.actions import Actions
from minigpt4.app.line import Line
from minigpt4.app.visitors import Visitor, Visitors
from minigpt4.loading import load

from .test_page import answers, opened, ready, say


SETTINGS = (1, False, 1.0, 1.0)


def test_the_message_appears_at_once_with_those_ahead_and_can_be_cancelled(context, endless_page):
    talking, waiting = opened(context, endless_page), context.browser.new_context().new_page()
    waiting.set_default_timeout(60_000)
    waiting.goto(endless_page)
    say(talking, "Talk and talk")
    expect(answers(talking)).to_contain_text(re.compile(".{5}"))
    say(waiting, "And me?")
    expect(waiting.locator("#chat .user .words")).to_have_text("And me?")
    expect(waiting.locator("#notice")).to_have_text("1 ahead of you. The square button cancels.")
    waiting.get_by_label("Stop").click()
    expect(waiting.locator("#notice")).to_contain_text("Cancelled")
    expect(waiting.locator("#textbox textarea")).to_have_value("And me?")
    expect(waiting.locator("#chat .user .words")).to_have_count(0)
    say(waiting)
    expect(waiting.locator("#notice")).to_contain_text("1 ahead of you")
    waiting.get_by_role("button", name="New chat").click()  # also ends a question that waits
    expect(waiting.locator("#chat .user .words")).to_have_count(0)
    say(waiting, "Anew")
    expect(waiting.locator("#notice")).to_contain_text("1 ahead of you")
    talking.get_by_label("Stop").click()
    expect(talking.locator("#notice [role=status]")).to_have_text("Stopped: the answer is incomplete.")
    expect(answers(waiting)).to_contain_text(re.compile(".{5}"))
    expect(waiting.locator("#notice")).to_have_count(0)
    # Loaded again: the answer in the making goes on.
    waiting.reload()
    expect(answers(waiting)).to_contain_text(re.compile(".{5}"))
    before = len(answers(waiting).inner_text())
    expect(answers(waiting)).to_contain_text(re.compile(f".{{{before + 5}}}"))
    # Who reads back stays where they read.
    waiting.set_viewport_size({"width": 360, "height": 480})
    log = waiting.locator("#chat .log")
    waiting.wait_for_function(
        "() => { const log = document.querySelector('#chat .log'); return log.scrollHeight > log.clientHeight + 60 }"
    )
    log.evaluate("log => log.scrollTo(0, 15)")
    before = len(answers(waiting).inner_text())
    expect(answers(waiting)).to_contain_text(re.compile(f".{{{before + 20}}}"))
    assert log.evaluate("log => log.scrollTop") == 15
    waiting.get_by_label("Stop").click()
    ready(waiting)
    # A notice goes when its cause goes.
    waiting.fill("#textbox textarea", "")
    say(waiting)
    expect(waiting.locator("#notice")).to_contain_text("nothing to send")
    waiting.locator("#textbox textarea").press_sequentially("H")
    expect(waiting.locator("#notice p")).to_be_hidden()
    # A message that was taken, but of which the server knows nothing any more, is offered again.
    say(waiting, "Am I heard?")
    expect(waiting.locator("#textbox textarea")).to_have_value("")
    expect(waiting.locator("#chat .user .words").last).to_have_text("Am I heard?")
    key = waiting.evaluate("localStorage.getItem('minigpt4-key')")
    waiting.evaluate("localStorage.setItem('minigpt4-key', 'f'.repeat(32))")
    waiting.reload()
    expect(waiting.locator("#textbox textarea")).to_have_value("Am I heard?")
    expect(waiting.locator("#chat .user .words")).to_have_text(["Anew"])
    waiting.evaluate("key => localStorage.setItem('minigpt4-key', key)", key)
    waiting.reload()
    waiting.get_by_label("Stop").click()
    ready(waiting)
    waiting.context.close()


@pytest.fixture(scope="module")
def actions(tiny_checkpoint):
    model, processor = load(tiny_checkpoint)
    model.generation_config.update(min_new_tokens=300)  # so that it is still being made when it is stopped
    return Actions(model, processor)


def test_length_stop_and_errors_are_told_apart(actions):
    def notice(tokens: int, text: str = "Hello") -> str:
        *_, (*_, shown) = actions.send({"text": text, "files": []}, None, Visitor(), tokens, *SETTINGS)
        return shown.value

    assert "reached its maximum length, 3 tokens" in notice(3)
    assert 'role="alert"' in notice(3, "long " * 500)


def test_a_new_chat_in_the_instant_of_sending_ends_the_answer(actions):
    """Whenever it comes."""
    for views in range(1, 4):
        visitor = Visitor()
        sending = actions.send({"text": "Hello", "files": []}, None, visitor, 300, *SETTINGS)
        for _ in range(views):
            next(sending, None)  # it may end sooner: views that come while nobody looks are one
        actions.clear(visitor)
        assert all(messages == [] for _, messages, _, _ in sending)  # in the new chat
        assert visitor.chat is None


def test_a_message_sent_twice_by_one_hand_is_answered_once(actions):
    visitor, message = Visitor(), {"text": "Hello", "files": []}
    first = actions.send(message, None, visitor, 30, *SETTINGS)
    next(first)
    *_, (_, shown, _, _) = actions.send({**message}, None, visitor, 30, *SETTINGS)
    assert [each["text"] for each in shown if each["role"] == "user"] == ["Hello"]
    *_, (_, shown, _, _) = first
    assert len(shown) == 2


def test_a_message_sent_meanwhile_waits_for_the_answer(actions):
    visitor = Visitor()
    next(actions.send({"text": "Hello", "files": []}, None, visitor, 30, *SETTINGS))
    *_, (_, messages, _, _) = actions.send({"text": "And then?", "files": []}, None, visitor, 3, *SETTINGS)
    assert [each["text"] for each in messages if each["role"] == "user"] == ["Hello", "And then?"]


def test_the_line_is_bounded_and_in_order():
    line, people = Line(2), [object() for _ in range(4)]
    for one in people[:3]:  # the first is being answered
        line.join(one)
    with pytest.raises(ValueError, match="2 questions wait for the model already"):
        line.join(people[3])
    assert [line.ahead(one) for one in people[:3]] == [0, 1, 2]
    line.leave(people[0])
    assert [line.ahead(one) for one in people[1:3]] == [0, 1]


def test_several_at_once_are_not_in_each_others_way():
    line, people = Line(1, at_once=2), [object() for _ in range(4)]
    for one in people[:3]:
        line.join(one)
    assert [line.ahead(one) for one in people[:3]] == [0, 0, 1]
    with pytest.raises(ValueError, match="1 questions wait for the model already"):
        line.join(people[3])
    line.leave(people[1])
    assert line.ahead(people[2]) == 0


def test_visitors_are_found_again_and_bounded():
    visitors = Visitors(most=2, lifetime=1e9)
    keys = [f"{number:032x}" for number in range(3)]
    first, second = (visitors.find(key, Visitor()) for key in keys[:2])
    assert visitors.find(keys[0], Visitor()) is first
    visitors.find(keys[2], Visitor())
    assert visitors.find(keys[0], Visitor()) is first
    assert visitors.find(keys[1], Visitor()) is not second  # away for longest
    assert visitors.find("", Visitor()) is not visitors.find("", Visitor())


@pytest.mark.parametrize("returns", [False, True])
def test_a_message_sent_before_the_page_is_known_stays_its_senders(context, endless_page, returns):
    """The chat of somebody who was here before can be brought back."""
    if returns:
        earlier = opened(context, endless_page)
        say(earlier, "Who was here before?")
        earlier.get_by_label("Stop").click()
        ready(earlier)
        earlier.close()
    page, held = context.new_page(), []
    says_whose_it_is = re.compile('"data":\\["[0-9a-f]{32}"')
    page.route(
        "**/queue/join*",
        lambda route: held.append(route) if says_whose_it_is.search(route.request.post_data) else route.continue_(),
    )
    page.goto(endless_page)
    say(page, "Hello")
    expect(page.locator("#chat .user .words")).to_have_text("Hello")
    expect(answers(page)).to_contain_text(re.compile(".{5}"))
    [arriving] = held
    arriving.continue_()
    expect(page.locator("html[data-arrived]")).to_have_count(0)  # it shows the answer as it grows
    before = len(answers(page).inner_text())
    expect(answers(page)).to_contain_text(re.compile(f".{{{before + 5}}}"))
    page.get_by_label("Stop").click()
    ready(page)
    expect(page.locator("html[data-arrived]")).to_be_attached()
    expect(page.locator("#chat .user .words")).to_have_text("Hello")
    expect(page.locator("#undo")).to_be_visible(visible=returns)
