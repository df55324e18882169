"""The review: what is decided is saved at once and can be taken back; and its page, in a real browser."""

import os
import signal
from itertools import islice
from pathlib import Path
from threading import Event

import pytest
from helpers.browser import browser, context  # noqa: F401
from helpers.curation import ends_of_fork, run_all

from minigpt4.curation import Table
from minigpt4.curation.review.deciding import Reviewing
from minigpt4.curation.review.difference import difference
from minigpt4.curation.table import details
from minigpt4.evaluation.scenes import describe, sample_scenes


[ONE] = [describe(scene) for scene in islice(sample_scenes("curation"), 1, 2)]  # of the first picture, 1.png
TWICE = ONE.partition(". ")[2]
GIVEN = (
    f"{ONE} {TWICE}",
    "A cat & a kitten sit on the wall.",
    "A dog runs. <img src=x onerror=\"document.title='hacked'\">",
    "A bird sings in a tree.",
)


@pytest.fixture
def review(recipe, texts, tmp_path):
    """Run the review step with what a reviewer does; gives the count and the table after it."""
    made = recipe(
        generate=texts(*GIVEN),
        mend={"rules": True, "checks": {"shortest": 0}},
        review={"reviewer": "Ada", "double_check": 0.2},
    )

    def call(act):
        count = run_all(
            made, *(() if not (tmp_path / "made").exists() else ("review",)), review=lambda w: act(Reviewing(w))
        )
        return count["review"], Table.open(tmp_path / "made", made.steps)

    return call


def decide(reviewing: Reviewing, decision: str, text: str | None = None) -> None:
    assert reviewing.decide(reviewing.current.id, decision, text)


def test_decisions(review):
    def act(reviewing):
        assert reviewing.current.text == ONE
        assert reviewing.current.before == GIVEN[0]
        decide(reviewing, "keep")
        decide(reviewing, "edit", " A cat sits\non the wall. ")
        decide(reviewing, "drop")
        with pytest.raises(ValueError, match="The text is empty"):
            decide(reviewing, "edit", " ")

    count, table = review(act)
    assert str(count) == "4 in, 2 out; 1 keep; 1 edit; 1 drop (reviewer); 1 not done yet"
    assert [row["review"] and row["review"]["model"] for row in table.rows[:4]] == ["Ada", "Ada", "Ada", None]
    assert [table.text(row, "export") for row in table.arriving("export")] == [
        ONE,
        "A cat sits on the wall.",
    ]


def test_undo_of_this_and_of_an_earlier_sitting(review):
    def first(reviewing):
        assert not reviewing.undo()
        decide(reviewing, "drop")
        assert reviewing.undo()
        assert reviewing.current.id == "1"
        decide(reviewing, "keep")
        decide(reviewing, "drop")

    count, _ = review(first)
    assert count.decisions == {"keep": 1, "drop (reviewer)": 1}
    count, _ = review(lambda reviewing: reviewing.undo())
    assert (count.decisions, count.waiting) == ({"keep": 1}, 3)


def test_a_decision_about_another_row_than_the_one_shown_is_not_saved(review):
    def act(reviewing):
        assert not reviewing.decide("3", "drop")

    count, _ = review(act)
    assert count.waiting == 4


def test_second_looks_and_their_agreement(review):
    def act(reviewing):
        for _ in range(4):
            assert not reviewing.current.second
            decide(reviewing, "keep")
        [again] = reviewing.second_looks
        assert reviewing.current.second
        assert reviewing.current.id == again
        decide(reviewing, "drop")
        assert reviewing.agreement == (0, 1)
        reviewing.undo()
        decide(reviewing, "keep")
        assert (reviewing.agreement, reviewing.progress, reviewing.current) == ((1, 1), (5, 5), None)

    count, table = review(act)
    assert count.out == 4  # a second look changes no decision
    assert [details(row["review"]).get("second") for row in table.rows].count("keep") == 1


def test_a_killed_review_has_lost_nothing(review, tmp_path):
    def act(reviewing):
        decide(reviewing, "keep")
        decide(reviewing, "drop")
        with (tmp_path / "made/review.0.part").open("a") as file:
            file.write('{"id": "3", "deci')
        os.kill(os.getpid(), signal.SIGKILL)

    assert ends_of_fork(lambda: review(act)) == -signal.SIGKILL

    def go_on(reviewing):
        assert reviewing.current.id == "3"
        decide(reviewing, "keep")

    count, _ = review(go_on)
    assert count.decisions == {"keep": 2, "drop (reviewer)": 1}


def test_difference():
    assert difference("a red red ball", "a blue ball") == "a <del>red red</del><ins>blue</ins> ball"
    assert difference("<b>", "<b>&") == "&lt;b&gt;<ins>&amp;</ins>"
    assert difference("", "new") == "<ins>new</ins>"


def test_page_in_a_browser(review, context, tmp_path):  # noqa: F811
    from playwright.sync_api import expect

    expect.set_options(timeout=20_000)
    from minigpt4.app.server import serve
    from minigpt4.curation.review.page import build_review_page

    def act(reviewing):
        finished = Event()
        page = build_review_page(reviewing, finished)
        try:
            window = context.new_page()
            window.goto(serve(page))
            progress, words = window.locator("#progress"), window.locator("#words .text")
            expect(progress).to_contain_text("0 of 5", timeout=60_000)
            expect(window.locator("#words del")).to_contain_text(TWICE)
            expect(window.locator("#picture img")).to_be_visible()
            window.screenshot(path=tmp_path / "review.png")
            window.keyboard.press("k")
            expect(progress).to_contain_text("1 of 5")
            expect(words).to_have_text("A cat & a kitten sit on the wall.")
            window.keyboard.press("d")
            expect(progress).to_contain_text("2 of 5")
            assert reviewing.made["2"]["decision"] == "drop"  # saved at once
            window.keyboard.press("u")
            expect(progress).to_contain_text("1 of 5")
            window.keyboard.press("e")
            window.keyboard.press("Control+a")
            window.keyboard.type("A kitten sits on the wall.")  # its letters are text here, no decisions
            window.keyboard.press("Control+Enter")
            expect(progress).to_contain_text("2 of 5")
            assert reviewing.made["2"]["text"] == "A kitten sits on the wall."
            expect(words).to_contain_text("onerror")
            expect(window.locator("#words img")).to_have_count(0)  # a text is no HTML
            assert window.title() == "Review"
            window.reload()
            expect(progress).to_contain_text("2 of 5")
            for number in (3, 4):
                window.keyboard.press("k")
                expect(progress).to_contain_text(f"{number} of 5")
            expect(window.locator(".second")).to_be_visible()
            window.keyboard.press("k")
            expect(window.locator("#words")).to_contain_text("1 of 1 second looks led to the same decision")
            window.keyboard.press("f")
            expect(window.locator("#notice")).to_contain_text("Everything is saved")
            assert finished.is_set()
        finally:
            page.close(verbose=False)

    count, table = review(act)
    assert count.decisions["edit"] == 1
    assert count.waiting == 0
    assert Path(tmp_path / "review.png").stat().st_size > 10_000
    assert table.by_id["2"]["review"]["text"] == "A kitten sits on the wall."
