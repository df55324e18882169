import random
from itertools import islice

import pytest
from transformers import AutoTokenizer

from minigpt4.evaluation.scenes.wording import QUESTION_KINDS, ask, describe
from minigpt4.evaluation.scenes.world import FACT_WORDS, sample_scenes
from minigpt4.training.nano.corpus import SYSTEM, vocabulary_texts
from minigpt4.training.nano.tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(vocabulary_texts(scenes=500))


def test_laid_out_as_llamas(tokenizer):
    assert tokenizer.convert_ids_to_tokens([0, 1, 2, 3, 258]) == ["<unk>", "<s>", "</s>", "<0x00>", "<0xFF>"]
    assert tokenizer.convert_ids_to_tokens(len(tokenizer) - 1) == "<ImageHere>"
    assert len(tokenizer) < 800


def test_every_fact_and_every_word_told_is_one_token(tokenizer):
    rng = random.Random(0)
    for word in FACT_WORDS:
        assert tokenizer.tokenize(word) == [f"▁{word}"]
    for scene in islice(sample_scenes("other"), 100):
        for text in (describe(scene), *(ask(scene, kind, rng).text for kind in QUESTION_KINDS)):
            marks = sum(text.count(mark) for mark in ".,?")
            assert len(tokenizer.tokenize(text)) == len(text.split()) + marks


def test_marks_are_tokens_of_their_own(tokenizer):
    assert tokenizer.tokenize("star.###Human: A ring?") == ["▁star", ".", "###", "Human", ":", "▁A", "▁ring", "?"]
    assert tokenizer.tokenize("circle ###Assistant: ")[-5:] == ["▁", "###", "Assistant", ":", "▁"]
    assert tokenizer.tokenize("two circles\n")[-1] == "<0x0A>"


@pytest.mark.parametrize("text", ["A large red circle.", SYSTEM, "Écoute, 日本 🙂\n\tx = 3", "###", "  two  spaces "])
def test_any_text_survives(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids) == text


def test_same_corpus_same_tokenizer_and_saved_whole(tokenizer, tmp_path):
    assert train_tokenizer(vocabulary_texts(scenes=500)).get_vocab() == tokenizer.get_vocab()
    tokenizer.save_pretrained(tmp_path)
    text = f"{SYSTEM}###Human: <Img><ImageHere></Img> Where is the red circle?###Assistant: "
    assert AutoTokenizer.from_pretrained(tmp_path)(text).input_ids == tokenizer(text).input_ids
