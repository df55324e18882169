"""A JSON file of one's own in LLaVA's form."""

import json

import pytest
from PIL import Image

from minigpt4.training import DataArguments, SequenceArguments, SequenceCollator
from minigpt4.training.data.sources import load_train_rows


@pytest.fixture
def own(tmp_path):
    (tmp_path / "pictures").mkdir()
    for name in "ab":
        Image.new("RGB", (40, 30), "red").save(tmp_path / f"pictures/{name}.png")

    def write(*rows):
        file = tmp_path / "mine.json"
        file.write_text(json.dumps(rows))
        return load_train_rows(DataArguments(data=str(file)))

    return write


def talk(question, answer="Yes."):
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


def text(row, processor):
    collator = SequenceCollator(processor, SequenceArguments(training_template="v2"))
    assert collator([row])["input_ids"].shape[0] == 1
    return "".join(segment.text for segment in collator.segments(row))


def test_images_stand_where_the_text_says(own, processor):
    rows = own(
        {"id": "1", "image": "pictures/a.png", "conversations": talk("<image>\nIs it Red?")},
        {"id": "2", "image": "pictures/a.png", "conversations": talk("Is it red?\n<image>") + talk("Sure?")},
        {"id": "3", "image": "pictures/a.png", "conversations": talk("Is it red?")},
        {"id": "4", "image": ["pictures/a.png", "pictures/b.png"], "conversations": talk("<image> or <image>?")},
        {"id": "5", "conversations": talk("Are you there?")},
    )
    picture = "<Img><ImageHere></Img>"
    assert [text(row, processor) for row in rows] == [
        f"<s>[INST] {picture} Is it Red?  [/INST]Yes.</s>",
        f"<s>[INST] Is it red? {picture}  [/INST]Yes.</s><s>[INST] Sure?  [/INST]Yes.</s>",
        f"<s>[INST] {picture} Is it red?  [/INST]Yes.</s>",
        f"<s>[INST] {picture} or {picture} ?  [/INST]Yes.</s>",
        "<s>[INST] Are you there? [/INST]Yes.</s>",
    ]
    assert rows[0]["source"] == "mine.json: mine.json, row 1"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"image": "pictures/a.png"}, "mine.json, row 1 has no 'conversations'"),
        ({"conversations": []}, "has no turns"),
        ({"conversations": talk("<image> what?")}, "has 0 images, but <image> 1 times in its text"),
        ({"conversations": [{"from": "robot", "value": "x"}]}, "has a turn from 'robot', not from human or gpt"),
        ({"image": "pictures/c.png", "conversations": talk("What?")}, "names pictures/c.png, but there is no"),
        ({"image": "../c.png", "conversations": talk("What?")}, r"names the image '\.\./c\.png', which leaves"),
    ],
)
def test_rows_that_are_wrong(own, row, message):
    with pytest.raises(ValueError, match=message):
        own(row)
