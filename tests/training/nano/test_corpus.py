import pytest
import torch

from minigpt4.evaluation.scenes.parsing import parse
from minigpt4.evaluation.scenes.world import FACTS_PER_SCENE
from minigpt4.processing.templates import chat_template
from minigpt4.training.nano.corpus import SYSTEM, Corpus, vocabulary_texts
from minigpt4.training.nano.language import pad
from minigpt4.training.nano.tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(vocabulary_texts(scenes=500))


@pytest.fixture(scope="module")
def rows(tokenizer):
    corpus = Corpus(tokenizer, seed=0)
    return [corpus.row(length=110) for _ in range(400)]


def learned(tokenizer, row):
    """The stretches of a row that carry loss, as text."""
    texts, stretch = [], []
    for token, label in zip([*row.input_ids, 0], [*row.labels, -100], strict=True):
        if label != -100:
            stretch.append(token)
        elif stretch:
            texts.append(tokenizer.decode(stretch))
            stretch = []
    return texts


def test_rows_follow_from_the_seed(tokenizer, rows):
    assert Corpus(tokenizer, seed=0).row(110) == rows[0] != Corpus(tokenizer, seed=1).row(110)


def test_only_answers_and_their_ends_carry_loss(tokenizer, rows):
    for row in rows:
        assert all(label in (-100, token) for token, label in zip(row.input_ids, row.labels, strict=True))
        for text in learned(tokenizer, row):
            assert text.endswith(("###", "\n"))
            assert "Human" not in text
            assert "Assistant" not in text


def test_the_facts_stand_where_the_picture_will(tokenizer, rows):
    with_picture = [row for row in rows if row.image]
    assert len(with_picture) > 350
    for row in with_picture:
        facts = tokenizer.decode(row.input_ids[row.image.start : row.image.stop]).split()
        assert len(facts) == len(row.image) == FACTS_PER_SCENE
        for text in learned(tokenizer, row):
            if text.startswith("The image shows"):
                assert parse(text).background == facts[0]
                assert parse(text).count == facts[1]


def test_rows_have_the_forms_of_the_published_prompts(tokenizer, rows):
    """A first question in the chat form has the ids that the processor gives, facts in the place of the picture."""
    seen = set()
    for row in rows:
        ids = row.input_ids
        if row.image.start == 1:
            seen.add("stage 1")
            continue
        if not row.image:
            seen.add("no picture")
            continue
        before = tokenizer.decode(ids[1 : row.image.start])
        after = tokenizer.decode(ids[row.image.stop :])
        image = [tokenizer.convert_tokens_to_ids("<ImageHere>")] * FACTS_PER_SCENE
        question = after.split("###Assistant:")[0]
        assert before in ("###Human: <Img>", f"{SYSTEM}###Human: <Img>")
        text = f"{before}{'<ImageHere>' * FACTS_PER_SCENE}{question}###Assistant: "
        prompt = ids[: row.image.start] + image + ids[row.image.stop :]
        expected = tokenizer(text).input_ids
        if prompt[: len(expected)] == expected:
            seen.add("stage 2" if question.endswith(" ") else "system" if before.startswith("Give") else "no system")
        else:  # the lone space before the answer is left out, as in the history of a chat
            assert prompt[: len(expected) - 1] == expected[:-1]
            seen.add("history")
    assert seen == {"stage 1", "stage 2", "system", "no system", "no picture", "history"}


def test_a_chat_tokenized_again_is_in_the_form_of_the_corpus(tokenizer):
    """Turns after the first continue the segment: `###Human` follows an answer without a space between."""
    tokenizer.chat_template = chat_template("vicuna")
    chat = [
        {"role": "user", "content": "Hello!"},
        {"role": "assistant", "content": "Please show me a picture first."},
        {"role": "user", "content": "Hi."},
    ]
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True).input_ids
    corpus = Corpus(tokenizer, 0)
    expected = [
        *corpus.segment(f"{SYSTEM}###Human: Hello!###Assistant:"),
        *corpus.segment("Please show me a picture first.###"),
        *corpus.continuation("Human: Hi.###Assistant: "),
    ]
    assert ids[-len(expected) :] == expected


def test_dialogues_go_on_until_they_are_long_enough(tokenizer):
    corpus = Corpus(tokenizer, seed=2)
    lengths = {length: [len(corpus.row(length).input_ids) for _ in range(100)] for length in (60, 240)}
    assert sum(n >= 240 for n in lengths[240]) > 75
    assert max(lengths[60]) < 240


def test_descriptions_only(tokenizer):
    corpus = Corpus(tokenizer, seed=3)
    for _ in range(20):
        (text,) = learned(tokenizer, corpus.row(110, descriptions_only=True))
        assert text.startswith("The image shows")


def test_padding_carries_no_loss(tokenizer, rows):
    input_ids, labels, image = pad(rows[:8], tokenizer.pad_token_id)
    for i, row in enumerate(rows[:8]):
        assert input_ids[i, : len(row.input_ids)].tolist() == row.input_ids
        assert (input_ids[i, len(row.input_ids) :] == tokenizer.pad_token_id).all()
        assert (labels[i, len(row.input_ids) :] == -100).all()
        assert torch.nonzero(image[i]).flatten().tolist() == list(row.image)
