"""The pictures to begin with are those that a model knows."""

import pytest
from PIL import Image

from minigpt4.app.examples import QUESTIONS, draw_examples
from minigpt4.processing.tasks import TASKS


def test_a_model_without_tasks_gets_questions(tmp_path):
    assert [each.text for each in draw_examples(str(tmp_path))] == list(QUESTIONS)


@pytest.mark.parametrize("known", [list(TASKS), ["detection", "refer"], ["refer", "its own"]])
def test_a_model_with_tasks_gets_one_of_each(tmp_path, known):
    examples = draw_examples(str(tmp_path), known)
    wanted = [task for task in TASKS if task in known]
    for task, example in zip(wanted, examples, strict=True):
        start, _, end = TASKS[task].form.partition("{}")
        assert example.text.startswith(start)
        assert example.text.endswith(end)
        assert "{}" not in example.text
        with Image.open(example.file) as picture:
            assert min(picture.size) >= 360
    assert len({example.address for example in examples}) == len(wanted)
