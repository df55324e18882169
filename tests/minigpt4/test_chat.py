"""`minigpt4 chat`: the conversation in the terminal, typed through stdin."""

import io

import pytest


@pytest.fixture
def chat(command, tiny_checkpoint, monkeypatch):
    def call(typed: str, *arguments):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        return command("chat", "--model", tiny_checkpoint, *arguments)

    return call


def answers(result) -> list[str]:
    """What the model said after each line typed."""
    return [part.strip() for part in result.out.split("you>")[1:]]


def test_answers_until_the_end_of_input(chat, picture):
    result = chat("What is this?\nAnd the colour?\n", picture)
    assert result.code == 0
    assert all(answers(result)[:2])
    about, shown, hint, *rest = result.err.splitlines()
    assert about.endswith("checkpoint, 36,528 parameters")
    assert shown == f"{picture}, 40 x 30, goes with your next message."
    assert "/help" in hint
    assert set(rest) <= {"(not finished)"}


def test_earlier_turns_are_remembered(chat, picture):
    _, later, _ = answers(chat("What is this?\nWhy?\n", picture))
    alone, _ = answers(chat("Why?\n", picture))
    assert later != alone


def test_reset_forgets_turns_and_pictures(chat, picture):
    after = answers(chat("What is this?\n/reset\nWhy?\n", picture))[2]
    alone, _ = answers(chat("Why?\n"))
    assert after == alone


def test_picture_can_come_in_any_turn(chat, picture):
    without = answers(chat("Hello\nWhat is this?\n"))[1]
    result = chat(f"Hello\n/image {picture}\nWhat is this?\n")
    assert answers(result)[2] != without
    assert "goes with your next message" in result.err


def test_path_may_be_quoted_and_hold_spaces(chat, picture, tmp_path):
    spaced = picture.rename(tmp_path / "my picture.png")
    assert "goes with your next message" in chat(f"/image '{spaced}'\n").err


def test_path_of_a_file_dropped_on_the_terminal_shows_it(chat, picture, tmp_path):
    spaced = picture.rename(tmp_path / "my picture.png")
    result = chat(f"'{spaced}'\n{spaced}\n{str(spaced).replace(' ', chr(92) + ' ')}\n")
    assert result.err.count("goes with your next message") == 3


def test_slips_of_the_keyboard_do_not_end_it(chat, tmp_path):
    result = chat(f"/image {tmp_path / 'gone.png'}\n/image\n/imge x\n\nHello\n/quit\nnever read\n")
    assert result.code == 0
    assert "gone.png" in result.err
    assert "/image PATH" in result.err
    assert "/imge" in result.err
    assert answers(result)[4]


def test_bytes_of_another_encoding_do_not_end_it(chat):
    result = chat("caf\udce9\nHello\n/quit\n")
    assert result.code == 0
    assert "UTF-8" in result.err
    assert answers(result)[1]


def test_ctrl_c_while_a_picture_comes_does_not_end_it(chat, monkeypatch):
    def interrupted(path: str):
        raise KeyboardInterrupt

    monkeypatch.setattr("minigpt4.commands.chat.read_picture", interrupted)
    result = chat("/image slow.png\nHello\n/quit\n")
    assert result.code == 0
    assert answers(result)[1]


def test_help_lists_every_command(chat):
    text = answers(chat("/help\n"))[0]
    assert all(name in text for name in ("/image", "/retry", "/undo", "/reset", "/help", "/quit"))


def test_last_message_can_be_said_another_way_and_taken_back(chat, picture):
    result = chat("What is this?\n/retry Why?\n/undo\nWhy?\n/undo\n/retry\n/undo\n", picture)
    _, instead, _, without_picture, *_ = answers(result)
    assert instead == answers(chat("Why?\n", picture))[0]
    assert without_picture == answers(chat("Why?\n"))[0]
    assert "nothing to answer again" in result.err
    assert "nothing to undo" in result.err


def test_conversation_that_outgrows_the_model_forgets_its_oldest_turns_and_says_so(chat, picture):
    line = "long " * 60
    result = chat(f"{line}\n{line}\n{line}\nWhy?\n", picture)
    assert all(answers(result)[:4])
    assert "oldest turns are left out, 1 so far" in result.err


def test_too_long_a_conversation_is_said_and_can_go_on(chat):
    result = chat(f"{'long ' * 400}\nHello\n")
    assert "/reset" in result.err
    assert answers(result)[1]
