"""Nothing of a chat is lost."""

import json
import random
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from minigpt4.app.actions import Actions
from minigpt4.app.chat import Chat
from minigpt4.app.saving import opened as opened_chat
from minigpt4.app.saving import to_json, to_markdown
from minigpt4.app.visitors import Visitor
from minigpt4.evaluation.scenes import describe, draw
from minigpt4.loading import load

from .test_page import EXAMPLES, SCENES, answers, opened, ready, say, upload


SETTINGS = (5, 1, False, 1.0, 1.0)


def test_reload_second_tab_lost_server_files_and_undo(context, nano_page, tmp_path):
    picture = tmp_path / "scene.png"
    draw(SCENES[0], size=192, rng=random.Random(0)).save(picture)
    page = opened(context, nano_page)
    page.locator("#chat .example").first.click()
    expect(answers(page)).to_have_text(describe(EXAMPLES[0]))
    ready(page)
    page.get_by_role("button", name="Settings").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as Markdown").click()
    saved = tmp_path / "chat.md"
    download.value.save_as(saved)
    assert describe(EXAMPLES[0]) in saved.read_text()
    # What is being written, with its picture, is there again, in another tab too.
    upload(page, picture)
    page.fill("#textbox textarea", "How many objects")
    page.reload()
    other = opened(context, nano_page)
    for tab in (page, other):
        expect(answers(tab)).to_have_text(describe(EXAMPLES[0]))
        expect(tab.locator("#textbox textarea")).to_have_value("How many objects")
        expect(tab.locator("#textbox .thumbnail-image")).to_have_count(1)
    other.fill("#textbox textarea", "Words of another tab")
    other.close()
    # A server that knows nothing of this browser any more: another key is a stranger's.
    page.evaluate("localStorage.setItem('minigpt4-key', 'f'.repeat(32))")
    page.reload()
    expect(answers(page)).to_have_text(describe(EXAMPLES[0]))
    expect(page.locator("#textbox textarea")).to_have_value("How many objects")
    say(page, "How many objects are there?")  # goes on with what the browser kept
    expect(answers(page)).to_have_count(2)
    ready(page)
    kept = page.evaluate(
        """async () => { for (;;) {
            const chat = await window.minigpt4.kept('chat');
            if (chat.turns.length === 2) return chat;
            await new Promise(requestAnimationFrame);
        } }"""
    )
    assert len(kept["pictures"]) == 4  # both as they are shown and as they are read, sent with their turns alone
    assert all(address.startswith("data:image/") for address in kept["pictures"].values())
    page.get_by_role("button", name="New chat").click()
    expect(answers(page)).to_have_count(0)
    page.get_by_role("button", name="Back to the chat before").click()
    expect(answers(page)).to_have_count(2)
    page.get_by_role("button", name="Settings").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open a saved chat").click()
    chooser.value.set_files(saved)
    expect(answers(page)).to_have_count(1)
    expect(page.locator("#chat .user img")).to_have_count(1)


def test_a_message_sent_while_offline_stays(context, nano_page):
    page = opened(context, nano_page)
    page.fill("#textbox textarea", "Am I lost?")
    context.set_offline(True)
    with page.expect_event("requestfailed"):
        say(page)
    context.set_offline(False)
    page.reload()
    expect(page.locator("#textbox textarea")).to_have_value("Am I lost?")


@pytest.fixture(scope="module")
def loaded(tiny_checkpoint):
    return load(tiny_checkpoint)


@pytest.fixture
def chat(loaded, tmp_path) -> Chat:
    files = []
    for shade in (40, 200):
        files.append(str(tmp_path / f"{shade}.png"))
        Image.new("L", (300, 200), shade).save(files[-1])
    chat = Chat(*loaded)
    for text, given in (("What *is* this?\n# <b>", files), ("And then?", [])):
        *_, _ = chat.ask(text, given, max_new_tokens=5)
    return chat


@pytest.mark.parametrize("write", [to_json, to_markdown])
def test_a_chat_from_its_file_is_the_same(chat, loaded, write):
    again = opened_chat(write(chat), *loaded)
    for one, other in zip(chat.conversation.turns, again.conversation.turns, strict=True):
        assert (one.text, one.answer) == (other.text, other.answer)
        assert [p.tobytes() for p in one.pictures] == [p.tobytes() for p in other.pictures]
    assert Image.open(again.picture).size == Image.open(chat.picture).size
    asked = [each.conversation.say("Why?", max_new_tokens=8).text for each in (chat, again)]
    assert asked[0] == asked[1]


def test_a_browser_is_sent_no_picture_that_it_holds(chat, loaded):
    whole, actions, visitor = json.loads(to_json(chat)), Actions(*loaded), Visitor()
    visitor.chat = chat
    names = list(whole["pictures"])
    kept = json.loads(actions.keep(visitor, " ".join(names[1:])))
    assert [name for name, address in kept["pictures"].items() if address] == names[:1]
    kept["pictures"] |= {name: whole["pictures"][name] for name in names[1:]}  # as the browser puts it together
    assert kept == whole


def test_markdown_reads_well(chat):
    text = to_markdown(chat)
    assert "> What \\*is\\* this?\n> \\# \\<b\\>" in text
    assert len(re.findall(r"^\[picture-\d\]: data:image/webp", text, re.MULTILINE)) == 2
    assert text.index("![picture-2]") < text.index("What") < text.index("And then")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: "# Some notes",
        lambda text: "\udcff is not UTF-8",
        lambda text: "[" * 100_000,
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("data:image/webp", "/etc/passwd;data:image/webp"),
        lambda text: text.replace('"typed": "And then?"', '"typed": 5'),
        lambda text: json.dumps({**json.loads(text), "turns": json.loads(text)["turns"] * 300}),
    ],
)
def test_other_files_are_refused_in_one_line(chat, loaded, tmp_path, change):
    file = tmp_path / "chat.json"
    file.write_bytes(change(to_json(chat)).encode(errors="surrogateescape"))
    *_, (visitor, _, _, notice) = Actions(*loaded).open(str(file), Visitor())
    assert visitor.chat is None
    assert "not a chat saved by this page" in notice.value


def test_an_answer_left_in_the_middle_stays_in_the_chat(loaded):
    chat = Chat(*loaded)
    growing = chat.ask("Hello", [], max_new_tokens=50, min_new_tokens=50)
    [question], (_, begun) = next(growing), next(growing)
    growing.close()
    assert [message["role"] for message in chat.messages()] == ["user", "bot"]
    assert chat.messages()[0] == question
    assert chat.messages()[1]["text"].startswith(begun["text"].strip())


def test_a_new_chat_can_be_undone_and_done_again(loaded):
    actions, visitor = Actions(*loaded), Visitor()
    list(actions.send({"text": "Hello", "files": []}, None, visitor, *SETTINGS))
    said = visitor.chat.messages()
    _, shown, _, _ = actions.clear(visitor)
    assert shown == []
    assert actions.undoable(visitor).visible
    *_, (_, shown, _, _) = actions.undo(visitor)
    assert shown == said
    assert not actions.undoable(visitor).visible


def test_a_picture_that_cannot_be_read_is_not_left_attached(loaded, tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.tiff"
    Image.new("L", (30, 30)).save(good)
    bad.write_bytes(b"II*\0 and nothing else")
    message = {"text": "What?", "files": [str(good), str(bad)]}
    *_, (visitor, _, _, notice) = Actions(*loaded).send(message, None, Visitor(), *SETTINGS)
    assert "bad.tiff is" in notice.value
    assert visitor.chat.answering.back == {"text": "What?", "files": [str(good)]}
