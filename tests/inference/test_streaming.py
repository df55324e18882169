"""Answers as they grow: the end mark never shows, and nothing else is lost."""

import pytest
import torch
from transformers import AutoTokenizer

from minigpt4.inference.streaming import AnswerStreamer


@pytest.fixture(scope="module")
def tokenizer(tiny_checkpoint):
    return AutoTokenizer.from_pretrained(tiny_checkpoint)


def stream(tokenizer, text: str, marks: list[str] | None) -> AnswerStreamer:
    """Let the tokens of `text` (here: single letters) come one by one, as `generate` gives them."""
    streamer = AnswerStreamer(tokenizer, marks)
    streamer.put(tokenizer("the prompt", return_tensors="pt")["input_ids"])
    for token in tokenizer(text, add_special_tokens=False)["input_ids"]:
        streamer.put(torch.tensor([token]))
    return streamer


@pytest.mark.parametrize(
    ("text", "marks", "expected"),
    [
        ("A red ring.###", ["###"], "A red ring."),
        ("A red ring. ###", ["###"], "A red ring."),
        ("A red ring. ###Human: more", ["###"], "A red ring."),
        ("Number # 7 and ## too.###", ["###"], "Number # 7 and ## too."),
        ("It ends in ##", ["###"], "It ends in ##"),
        ("line one\nline two###", ["###"], "line one\nline two"),
        ("  spaces around  ", ["###"], "spaces around"),
        ("stops at the first, END not ###", ["###", "END"], "stops at the first,"),
        ("no mark here", None, "no mark here"),
        ("grüße 🎈###", ["###"], "grüße 🎈"),
        ("###", ["###"], ""),
        ("", ["###"], ""),
    ],
)
def test_prints_all_but_the_mark(tokenizer, text, marks, expected, capsys):
    streamer = stream(tokenizer, text, marks)
    streamer.end()
    assert capsys.readouterr().out == streamer.text == expected


def test_prints_words_before_the_end(tokenizer, capsys):
    stream(tokenizer, "one two three fo", ["###"])
    assert capsys.readouterr().out == "one two three"
