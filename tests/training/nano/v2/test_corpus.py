import random
from itertools import islice

import pytest

from minigpt4.evaluation.scenes.boxed import request, sample_boxed_scenes
from minigpt4.processing.tasks import TASKS
from minigpt4.training.nano.tokenizer import train_tokenizer
from minigpt4.training.nano.v2.corpus import WORDS_AND_MARKS, Corpus, vocabulary_texts
from minigpt4.training.nano.v2.settings import NUM_IMAGE_TOKENS


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(vocabulary_texts(scenes=300), WORDS_AND_MARKS)


@pytest.fixture(scope="module")
def scenes():
    return list(islice(sample_boxed_scenes("corpus"), 60))


def test_identifiers_words_and_numbers_are_one_token_each(tokenizer):
    boxes = "{" + "".join(f"<{number}>" for number in range(101)) + "}"
    assert len(tokenizer(boxes, add_special_tokens=False).input_ids) == 103
    for task in TASKS:
        assert len(tokenizer(f"[{task}]", add_special_tokens=False).input_ids) == 1
    assert tokenizer.tokenize("<p>a large ring</p> {<1><2>}<delim>{") == [
        "▁<p>", "a", "▁large", "▁ring", "</p>", "▁{", "<1>", "<2>", "}", "<delim>", "{",
    ]  # fmt: skip


def test_segments_are_tokenized_as_a_whole_text_is(tokenizer, scenes):
    corpus, rng = Corpus(tokenizer), random.Random(0)
    for scene in scenes:
        for task in TASKS:
            made = request(scene, task, rng)
            text = f"</Img> {made.instruction}  [/INST]"
            for segment in (text, made.answer):
                ids = tokenizer(segment, add_special_tokens=False).input_ids
                assert corpus.segment(segment) == ids
                assert tokenizer.unk_token_id not in ids
                assert max(len(tokenizer.convert_ids_to_tokens(id_)) for id_ in ids) > 1


def test_rows_learn_answers_alone_and_leave_the_identifiers_to_the_stages(tokenizer, scenes):
    corpus, rng = Corpus(tokenizer), random.Random(0)
    identifiers = {tokenizer.convert_tokens_to_ids(f"▁[{task}]") for task in TASKS}
    for scene in scenes:
        for row in (corpus.lookups(scene, rng, ended=True), corpus.dialogue(scene, rng, 200)):
            assert row.input_ids[0] == tokenizer.bos_token_id
            assert len(row.labels) == len(row.input_ids)
            assert row.input_ids.count(tokenizer.image_token_id) == (NUM_IMAGE_TOKENS if row.scene else 0)
            assert all(label in (-100, token) for label, token in zip(row.labels, row.input_ids, strict=True))
            assert row.labels[-1] != -100
            assert not identifiers & set(row.input_ids)


def test_lookups_end_when_they_are_to(tokenizer, scenes):
    corpus = Corpus(tokenizer)
    ended, endless = (corpus.lookups(scenes[0], random.Random(0), ended=each) for each in (True, False))
    assert ended.input_ids[-1] == ended.labels[-1] == tokenizer.eos_token_id
    assert tokenizer.eos_token_id not in endless.input_ids
    without = [token for token in ended.input_ids if token != tokenizer.eos_token_id]
    assert endless.input_ids[: len(without)] == without


def test_dialogues_are_what_training_or_inference_make_of_a_chat(tokenizer, scenes):
    corpus, rng = Corpus(tokenizer), random.Random(1)
    starts = {tuple(corpus.dialogue(scene, rng, 200).input_ids[:2]) for scene in scenes}
    bos, inst = tokenizer.bos_token_id, tokenizer.convert_tokens_to_ids("▁[INST]")
    assert starts == {(bos, bos), (bos, inst)}
