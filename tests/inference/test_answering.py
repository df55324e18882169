"""Answers are generated in one place, and say whether they came to their end."""

import ast

import pytest
from helpers import ROOT

from minigpt4.evaluation.scenes import draw, sample_scenes
from minigpt4.inference.answering import ContextLimitError, answer, answer_batch
from minigpt4.inference.conversation import Conversation
from minigpt4.inference.turns import user_turn
from minigpt4.loading import load


@pytest.fixture(scope="module")
def nano():
    return load()


@pytest.fixture
def question():
    return user_turn("Describe this image in detail.", draw(next(iter(sample_scenes(seed=5)))))


def test_finished_is_what_reached_its_end(nano, question):
    """Also where the mark is the last token that there was room for."""
    _, processor = nano
    [whole] = answer(*nano, [[question]])
    length = len(processor.tokenizer.encode(whole.text + "###", add_special_tokens=False))
    assert whole.finished
    assert answer(*nano, [[question]], max_new_tokens=length) == [whole]
    [cut] = answer(*nano, [[question]], max_new_tokens=length - 1)
    assert not cut.finished
    assert whole.text.startswith(cut.text)


def test_finished_is_also_what_reached_an_end_of_the_callers(nano, question):
    [whole] = answer(*nano, [[question]])
    word = whole.text.split()[3]
    [ended] = answer(*nano, [[question]], ends=[word])
    assert (ended.text, ended.finished) == (whole.text[: whole.text.index(word) + len(word)], True)
    [cut] = answer(*nano, [[question]], ends=["no such words"], max_new_tokens=3)
    assert not cut.finished


def test_one_error_for_a_prompt_that_is_too_long(nano):
    said = []
    for ask in (
        lambda text: answer(*nano, [[user_turn(text)]]),
        lambda text: next(Conversation(*nano).stream(text)),
        lambda text: answer_batch(*nano, nano[1](text=f"###Human: {text} ###Assistant:", return_tensors="pt")),
    ):
        with pytest.raises(ContextLimitError, match="can read at most 2048: make it shorter") as error:
            ask("long " * 3000)
        said.append(str(error.value))
    assert said[0] == said[1]


def test_answers_of_a_batch_end_where_the_model_can_read_no_further(tiny_checkpoint, monkeypatch):
    model, processor = load(tiny_checkpoint)
    chats = [[user_turn("a" * 20)], [user_turn("What?")]]
    free = answer(model, processor, chats, max_new_tokens=30, eos_token_id=-1)
    assert {len(one.ids) for one in free} == {30}
    prompt = processor.apply_chat_template(chats[0], tokenize=True, add_generation_prompt=True, return_dict=True)
    monkeypatch.setattr(model.config.text_config, "max_position_embeddings", len(prompt["input_ids"][0]) + 4)
    for one in answer(model, processor, chats, max_new_tokens=30, eos_token_id=-1):
        assert (len(one.ids), one.finished) == (4, False)


def test_no_other_place_generates():
    """Of the whole package. A language model in the place of an endpoint is asked about texts, not pictures."""
    folders = (
        "minigpt4",
        "training",
        "evaluation",
        "curation",
        "conversion",
        "checkpoints",
        "hub_cards",
        "inference",
        "processing",
    )
    places = [
        file.relative_to(ROOT).as_posix()
        for folder in folders
        for file in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "generate"
    ]
    assert set(places) == {
        "inference/answering.py",
        "inference/local_language_model.py",
    }
