"""Every published set: what the model reads and learns of its rows, token by token."""

import pickle
from collections import Counter

import pytest

from minigpt4.processing.tasks import TASKS
from minigpt4.training import SequenceArguments, SequenceCollator
from minigpt4.training.data.sets import SETS, open_set


CAPTION, REFER_FORMS, IDENTIFY_FORMS, GROUNDING = (
    TASKS[task].forms for task in ("caption", "refer", "identify", "grounding")
)
BOX = "{<10><10><60><55>}"  # of x 20.5 to 120.5 and y 10 to 55, in a picture of 200 x 100
CAT = ["the left cat", "cat"]
VQA = ["[vqa] {}", "[vqa] Based on the image, respond to this question with a short answer: {}"]
# Every question that may be asked, and every answer to it that may be learned.
EXAMPLES = {
    "coco_caption": (list(CAPTION), ["a red, red box"]),
    "textcaps_caption": (list(CAPTION), ["a sign old"]),
    **dict.fromkeys(
        ("coco_vqa", "ok_vqa", "aok_vqa"), ([form.format("what colour is it?") for form in VQA], ["red", "dark red"])
    ),
    "gqa": ([form.format("is it red?") for form in VQA], ["yes"]),
    "ocrvqa": ([form.format("who wrote this book?") for form in VQA], ["a writer"]),
    **dict.fromkeys(
        ("refcoco", "refcoco+", "refcocog"), ([form.format(cat) for form in REFER_FORMS for cat in CAT], [BOX])
    ),
    **dict.fromkeys(
        ("invrefcoco", "invrefcoco+", "invrefcocog"), ([form.format(BOX) for form in IDENTIFY_FORMS], CAT)
    ),
    "refvg": ([form.format("a shiny wheel") for form in REFER_FORMS], ["{<10><10><35><90>}"]),
    "flickr_grounded_caption": (list(GROUNDING), ["<p>A man</p> {<10><20><30><40>} runs."]),
    "flickr_CaptionToPhrase": (["[detection] A man runs."], ["<p>A man</p> {<10><20><30><40>}"]),
    "flickr_ObjectToPhrase": (["[detection] A man"], ["<p>A man</p> {<10><20><30><40>}<delim>{<1><2><3><4>}"]),
    **dict.fromkeys(("llava_detail", "llava_reason"), (["what is it?"], ["It is a Cat."])),
    "unnatural_instruction": (["say hello one word"], ["hello"]),
}
SEVERAL_TURNS = ["llava_conversation", "multitask_conversation"]


@pytest.fixture
def collate(processor):
    return SequenceCollator(processor, SequenceArguments(training_template="v2"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_ids_and_labels_are_the_published_ones(name, published_once, collate, processor, pieces):
    rows = open_set(name, published_once)
    assert len(rows) == 3
    questions, answers = EXAMPLES[name]
    asked, answered = {}, set()
    for epoch in range(30 * len(questions)):
        row = rows.draw(1, seed=0, epoch=epoch)
        question, answer = (message["content"] for message in row["messages"])
        assert question in questions
        assert answer in answers
        asked[question] = row
        answered.add(answer)
    assert (set(asked), answered) == (set(questions), set(answers))
    for question, row in asked.items():
        batch = collate([row])
        if name == "unnatural_instruction":
            assert row["images"] == []
            prompt = [1, *pieces(f"[INST] {question} [/INST]")]  # one space
        else:
            image = [processor.tokenizer.image_token_id] * 4
            prompt = [1, *pieces("[INST] <Img>"), *image, *pieces(f"</Img> {question}  [/INST]")]
        learned = [*pieces(row["messages"][1]["content"]), 2]
        assert batch["input_ids"].tolist() == [[*prompt, *learned]]
        assert batch["labels"].tolist() == [[*[-100] * len(prompt), *learned]]


@pytest.mark.parametrize("name", SEVERAL_TURNS)
def test_conversations_have_all_their_turns(name, published_once, collate, processor, pieces):
    row = open_set(name, published_once)[0]
    image = [processor.tokenizer.image_token_id] * 4
    first = [1, *pieces("[INST] <Img>"), *image, *pieces("</Img> What is it?  [/INST]")]
    more = [1, *pieces("[INST] Sure?  [/INST]")]
    answer, last = [*pieces("It is a Cat."), 2], [*pieces("Yes (quite)."), 2]
    batch = collate([row])
    assert batch["input_ids"].tolist() == [[*first, *answer, *more, *last]]
    assert batch["labels"].tolist() == [[*[-100] * len(first), *answer, *[-100] * len(more), *last]]


def test_stage_2_leaves_captions_as_they_are(published_once):
    row = open_set("cc_sbu_align", published_once)[2]
    assert row["text"] == "The image shows: Red."
    assert row["image"] == str(published_once / "cc_sbu_align/image/2.jpg")


def test_the_published_number_of_forms_and_their_spaces():
    assert [len(set(forms)) for forms in (CAPTION, REFER_FORMS, IDENTIFY_FORMS, GROUNDING)] == [17, 7, 7, 4]
    assert [form for form in CAPTION if form.endswith(" ")] == [
        "[caption] A photo of ",
        "[caption] An image that shows ",
        "[caption] Write a short description for the image. ",
    ]
    for identifier, task in TASKS.items():
        assert all(form.startswith(f"[{identifier}] ") for form in (*task.forms, task.asked))


def test_every_set_has_an_example():
    assert set(EXAMPLES) | {*SEVERAL_TURNS} | {"cc_sbu_align"} == set(SETS)


@pytest.mark.parametrize("name", SETS)
def test_rows_name_their_source_and_travel_to_workers(name, published_once):
    rows = open_set(name, published_once)
    sent = pickle.loads(pickle.dumps(rows))
    assert [sent[index] for index in range(3)] == [rows[index] for index in range(3)]
    assert len({rows[index]["source"] for index in range(3)}) == 3
    assert rows[0]["source"].startswith(f"{name}: ")
    assert rows[0]["task"] == SETS[name].task


def test_an_answer_is_drawn_by_its_share(published_once):
    rows = open_set("coco_vqa", published_once)
    drawn = Counter(rows.draw(0, 0, epoch)["messages"][1]["content"] for epoch in range(1000))
    assert drawn["red"] == pytest.approx(600, abs=60)


def test_choices_depend_on_seed_epoch_and_row_only(published_once):
    rows = open_set("coco_caption", published_once)

    def questions(seed, epoch):
        return [rows.draw(index, seed, epoch)["messages"][0]["content"] for index in range(3)]

    assert questions(1, 2) == questions(1, 2)
    seen = {tuple(questions(seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(seen) > 10
    assert any(len(set(three)) == 3 for three in seen)


def test_what_is_left_out_is_counted(published_once):
    def left_out(name):
        return dict(open_set(name, published_once).report.left_out)

    assert left_out("coco_caption") == {"image not of train2014": 1}
    assert left_out("refcoco") == left_out("ocrvqa") == {"not of the split for training": 1}
    assert left_out("refvg") == {"16,384 square pixels or more": 3}


def test_annotations_are_read_again_when_they_change(published):
    assert len(open_set("gqa", published)) == 1
    file = published / "gqa/train_balanced_questions.json"
    file.write_text(file.read_text().replace("Is it red?", "Is it large?"))
    assert "is it large?" in open_set("gqa", published)[0]["messages"][0]["content"]
