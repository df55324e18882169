"""The pictures to begin with are those that a model knows."""

import pytest
from PIL import Image

from minigpt4 import nano_path
from minigpt4.app.examples import DESCRIBE, QUESTIONS, examples_for
from minigpt4.hub_cards import embedded
from minigpt4.processing.tasks import TASKS


def test_nano_gets_questions_about_its_scenes(tmp_path):
    assert [each.text for each in examples_for(str(nano_path()), str(tmp_path))] == list(QUESTIONS)


@pytest.mark.parametrize("known", [list(TASKS), ["detection", "refer"], ["refer", "its own"]])
def test_nano_v2_gets_one_of_each_task(tmp_path, known):
    nano_v2 = nano_path().with_name("nano-v2")
    assert embedded.is_embedded(nano_v2)
    examples = examples_for(str(nano_v2), str(tmp_path), known)
    wanted = [task for task in TASKS if task in known]
    for task, example in zip(wanted, examples, strict=True):
        start, _, end = TASKS[task].form.partition("{}")
        assert example.text.startswith(start.strip())
        assert example.text.endswith(end)
        assert not set("{}<>") & set(example.text)
        assert (example.box is not None) == (task == "identify")
        with Image.open(example.file) as picture:
            assert min(picture.size) >= 360
    assert len({example.address for example in examples}) == len(wanted)


def test_other_models_get_none_but_what_lies_beside_them(tmp_path):
    checkpoint, written = tmp_path / "model", tmp_path / "written"
    for folder in (checkpoint, written):
        folder.mkdir()
    assert examples_for(str(checkpoint), str(written), list(TASKS)) == []
    beside = checkpoint / "examples"
    beside.mkdir()
    for name in ("street", "cup", "box"):
        Image.new("RGB", (40, 30), "green").save(beside / f"{name}.png")
    (beside / "cup.txt").write_text("What is in the cup?\n")
    (beside / "box.txt").write_text("[identify] what is this {<20><10><80><90>}")
    box, cup, street = examples_for(str(checkpoint), str(written), list(TASKS))
    assert (box.text, box.box) == ("[identify] what is this", (20, 10, 80, 90))
    assert (cup.text, cup.box) == ("What is in the cup?", None)
    assert street.text == DESCRIBE
    (beside / "notes.md").write_text("no picture")
    with pytest.raises(ValueError, match=r"notes\.md is not an image"):
        examples_for(str(checkpoint), str(written))
