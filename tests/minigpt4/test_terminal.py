"""The commands in a terminal: what a person reads while they work, and what keys do meanwhile.

Few sessions, each for several things: a command takes seconds to start.
"""

import random
import signal

import pytest
from helpers.terminals import CTRL_C, LEFT, PASTE, terminal

from minigpt4.evaluation.scenes import draw, sample_scenes


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder with three drawn scenes, and the metadata to train on them."""
    folder = tmp_path_factory.mktemp("album") / "pictures"
    folder.mkdir()
    scenes = sample_scenes(seed=3)
    for number in range(3):
        draw(next(scenes), rng=random.Random(number)).save(folder / f"{number}.png")
    rows = (f'{{"file_name": "{number}.png", "text": "A drawing."}}\n' for number in range(3))
    (folder / "metadata.jsonl").write_text("".join(rows))
    return folder


def test_chat(pictures):
    """At 40 columns, typed and pasted as people do."""
    with terminal("chat", pictures / "0.png", width=40, LC_TERMINAL="iTerm2") as session:
        session.until(lambda text: "Loading nano" in text)
        session.type(PASTE.format("What is this?\nWhere is it?"))  # before there is a prompt
        screen = session.until(lambda text: "     Where is it?" in text)
        assert "nano, 2.3 million parameters" in screen
        assert session.raw.count("\x1b]1337;File=inline=1") == 1  # the picture itself, in a terminal that can show it
        assert "0.png, 96 x 96, goes" in " ".join(screen.split())
        assert screen.endswith("you> What is this?\n     Where is it?")  # nothing was sent, nothing shown twice
        session.type("\r")
        screen = session.until(lambda text: text.endswith("you>"))
        answer = screen.partition("Where is it?")[2].removesuffix("you>").strip()
        assert answer

        # While an answer comes, keys wait for the next message.
        session.type("Describe this image in detail.\r")
        session.until(lambda text: "The image shows" in text)
        session.type(f"WhYt{LEFT}\x7fa")
        screen = session.until(lambda text: text.endswith("you> What"))
        description = screen.rpartition("in detail.")[2].removesuffix("you> What").strip()
        assert [line for line in description.splitlines() if line != line.strip()] == []
        assert "^[" not in screen
        words = " ".join(description.split())
        assert words.startswith("The image shows")
        assert words.endswith(".")
        assert max(map(len, description.splitlines())) <= 40

        # Ctrl-C takes back what is typed; Tab completes; Ctrl-D ends.
        session.type(CTRL_C)
        session.until(lambda text: text.endswith("you> What\n\nyou>"))
        session.type("/he\t")
        session.until(lambda text: text.endswith("you> /help"))
        session.type("\r")
        session.until(lambda text: text.endswith("you>") and "/retry [TEXT]" in text)
        session.type("\x04")
        assert session.end() == 0


def test_describe(pictures):
    """The bar says what is loading, then moves; it is gone when the answers are there, each line of them indented."""
    with terminal("describe", pictures, width=40) as session:
        session.until(lambda text: "Loading nano" in text)
        session.until(lambda text: "Pictures" in text and "0/3" in text)
        assert session.end() == 0
        assert "Pictures" not in session.text
        lines = [line for line in session.lines if line]
        answers = [line for line in lines if line.startswith("  ")]
        assert sum("The image shows" in line for line in answers) == 3
        assert len(answers) > 3
        assert max(map(len, answers)) <= 40
        assert not any("Loading" in line for line in lines)


def test_train(pictures, tmp_path):
    """Columns, a bar that is gone at the end, and the next command to type."""
    run = tmp_path / "run"
    settings = ["model_name_or_path=nano", f"data={pictures}", f"output_dir={run}", "max_steps=3", "logging_steps=1"]
    with terminal("train", "own-folder", *(word for one in settings for word in ("--set", one))) as session:
        session.until(lambda text: "Training" in text and "1/3" in text)
        assert session.end() == 0
        lines = [line for line in session.lines if line]
        heading = next(number for number, line in enumerate(lines) if "samples/s" in line)
        assert lines[heading].split() == ["step", "loss", "rate", "samples/s"]
        rows = [line.split() for line in lines[heading + 1 : heading + 4]]
        assert [row[0] for row in rows] == ["1", "2", "3"]
        assert all(float(value) > 0 for row in rows for value in row[1:])
        assert len({len(line) for line in lines[heading : heading + 4]}) == 1  # the columns are straight
        assert lines[heading + 4].startswith("3 steps in 0:")
        assert "{'" not in session.text
        ending = " ".join(lines[heading + 5 :])
        assert f"Next: minigpt4 chat --model {run}" in ending
        assert f"minigpt4 merge {run} --output DIR" in ending


def test_page_ends_with_ctrl_c():
    """What is loading is said at once; Ctrl-C ends it then, and later."""
    with terminal("app") as session:
        session.until(lambda text: "Loading nano" in text)
        session.process.kill(signal.SIGINT)
        assert session.end() == 130
        assert "Traceback" not in session.text
