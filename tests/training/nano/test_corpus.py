import pytest
import torch
from transformers import LlamaForCausalLM

from minigpt4.evaluation.scenes.parsing import parse
from minigpt4.evaluation.scenes.world import OBJECT_FACTS, PARTS_PER_SCENE, WORDS_OF
from minigpt4.processing.templates import chat_template
from minigpt4.training.nano.corpus import SYSTEM, Corpus, vocabulary_texts
from minigpt4.training.nano.language import answer_logits, pad
from minigpt4.training.nano.settings import text_config
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
    image_token_id = tokenizer.convert_tokens_to_ids("<ImageHere>")
    with_picture = [row for row in rows if row.facts]
    assert len(with_picture) > 350
    for row in with_picture:
        background, count, *objects = [tuple(map(tokenizer.decode, group)) for group in row.facts]
        assert row.input_ids.count(image_token_id) == len(row.facts) == PARTS_PER_SCENE
        for text in learned(tokenizer, row):
            if text.startswith("The image shows"):
                parsed = parse(text)
                assert ((parsed.background,), (parsed.count,)) == (background, count)
                told = [tuple(obj[fact] for fact in OBJECT_FACTS) for obj in parsed.objects]
                assert told == [group for group in objects if group != ("none",)]


def test_rows_have_the_forms_of_the_published_prompts(tokenizer, rows):
    """A first question in the chat form has the ids that the processor gives."""
    image_token_id = tokenizer.convert_tokens_to_ids("<ImageHere>")
    seen = set()
    for row in rows:
        ids = row.input_ids
        if not row.facts:
            seen.add("no picture")
            continue
        start = ids.index(image_token_id)
        if start == 1:
            seen.add("stage 1")
            continue
        before = tokenizer.decode(ids[1:start])
        after = tokenizer.decode(ids[start + PARTS_PER_SCENE :])
        question = after.split("###Assistant:")[0]
        assert before in ("###Human: <Img>", f"{SYSTEM}###Human: <Img>")
        prompt = f"{before}{'<ImageHere>' * PARTS_PER_SCENE}{question}###Assistant: "
        expected = tokenizer(prompt).input_ids
        if ids[: len(expected)] == expected:
            seen.add("stage 2" if question.endswith(" ") else "system" if before.startswith("Give") else "no system")
        else:  # the lone space before the answer is left out, as in the history of a chat
            assert ids[: len(expected) - 1] == expected[:-1]
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


def test_lookups_have_one_answer(tokenizer):
    corpus = Corpus(tokenizer, seed=3)
    asked = set()
    for _ in range(100):
        row = corpus.lookups()
        _, _, *objects = [set(map(tokenizer.decode, group)) for group in row.facts]
        words = [tokenizer.decode(token) for token in row.input_ids[1 + PARTS_PER_SCENE :]]
        targets = row.labels[1 + PARTS_PER_SCENE :]
        lookup = []
        for word, target in zip(words, targets, strict=True):
            if target == -100:
                lookup.append(word)
                continue
            cue, *given = lookup
            fits = [group for group in objects if set(given) <= group]
            asked.add(cue)
            if cue == "there":
                assert (word == "Yes") == bool(fits)
            elif cue == "many":
                assert len(fits) == ["no", "one", "two", "three", "four"].index(word)
            else:
                values = WORDS_OF["position" if cue == "place" else cue]
                assert {value for group in fits for value in group & set(values)} == {word}
            lookup = []
        assert not lookup
    assert asked == {"there", "many", "size", "colour", "shape", "place"}


def test_an_image_token_is_the_sum_of_its_words(tokenizer, rows):
    """The same answer logits as with the sums written into the embeddings by hand; and noise changes them."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(text_config(len(tokenizer), tokenizer.pad_token_id)).eval()
    row = next(row for row in rows if row.facts)
    with torch.no_grad():
        logits, targets = answer_logits(model, *pad([row], tokenizer.pad_token_id))
        blurred, _ = answer_logits(model, *pad([row], tokenizer.pad_token_id), noise=1.0)
        embeds = model.model.embed_tokens(torch.tensor(row.input_ids))
        start = row.input_ids.index(tokenizer.convert_tokens_to_ids("<ImageHere>"))
        for place, group in enumerate(row.facts, start):
            embeds[place] = model.model.embed_tokens(torch.tensor(group)).sum(0) / len(group) ** 0.5
        everything = model(inputs_embeds=embeds[None]).logits[0]
    learned_at = [i for i, label in enumerate(row.labels) if label != -100]
    assert targets.tolist() == [row.labels[i] for i in learned_at]
    torch.testing.assert_close(logits, everything[[i - 1 for i in learned_at]])
    assert not torch.allclose(logits, blurred)


def test_padding_carries_no_loss(tokenizer, rows):
    input_ids, labels, facts = pad(rows[:8], tokenizer.pad_token_id)
    for i, row in enumerate(rows[:8]):
        assert input_ids[i, : len(row.input_ids)].tolist() == row.input_ids
        assert (input_ids[i, len(row.input_ids) :] == tokenizer.pad_token_id).all()
        assert (labels[i, len(row.input_ids) :] == -100).all()
    groups = [group for row in rows[:8] for group in row.facts]
    assert [[word for word in group if word >= 0] for group in facts.tolist()] == groups
