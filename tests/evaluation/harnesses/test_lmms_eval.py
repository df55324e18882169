"""A model, through lmms-eval's class."""

from importlib import import_module
from importlib.metadata import entry_points

import pytest

from minigpt4.evaluation.scenes import draw, sample_scenes


BOX = "Please provide the bounding box coordinate of the region this sentence describes: the red circle"
GREEDY = {"max_new_tokens": 60, "temperature": 0, "until": ["\n\n"], "image_aspect_ratio": "original"}


@pytest.fixture
def harness(harnesses, tiny_checkpoint):
    [point] = entry_points(group="lmms_eval.models", name="minigpt4")
    manifest = point.load()()
    module, _, name = manifest.simple_class_path.rpartition(".")
    made = getattr(import_module(module), name).create_from_arg_string(
        f"pretrained={tiny_checkpoint}", {"batch_size": 2}
    )
    made.task_dict["scenes"] = {"test": [{"image": draw(next(sample_scenes(seed)))} for seed in "abc"]}
    return made


def request(text: str, document: int, settings: dict = GREEDY, visual=lambda document: [document["image"]]):
    instance = import_module("lmms_eval.api.instance").Instance
    metadata = {"task": "scenes", "doc_id": document, "repeats": 1}
    arguments = (text, dict(settings), visual, document, "scenes", "test")
    return instance(request_type="generate_until", arguments=arguments, idx=0, metadata=metadata)


def test_answers_come_in_the_order_of_the_requests(harness):
    """Whatever the batches are, and with settings of their own."""
    texts = ["Describe this image in detail, please, with all that is in it.", "What is this?", "Describe this image."]
    asked = [request(text, number) for number, text in enumerate(texts)]
    asked.append(request("What is this?", 1, {**GREEDY, "max_new_tokens": 3}))
    together = harness.generate_until(asked)
    assert together == [harness.generate_until([one])[0] for one in asked]
    assert len({*together}) == 4
    assert len(together[3]) < len(together[1])


def test_boxes_and_prompts(harness, dictate):
    prompts = dictate(harness, "{<10><20><30><40>}")
    assert harness.generate_until([request(BOX, 0)]) == ["[0.10, 0.20, 0.30, 0.40]"]
    assert "[refer] give me the location of the red circle###" in prompts[-1]


def test_an_answer_stops_where_the_task_wants_it(harness, dictate):
    prompts = dictate(harness, "yes, it is STOP no")
    assert harness.generate_until([request("Is it?", 0, {**GREEDY, "until": "STOP"})]) == ["yes, it is"]
    assert "[vqa] Is it?###" in prompts[-1]


def test_a_text_without_a_picture(harness):
    assert isinstance(harness.generate_until([request("What is red?", 0, visual=lambda document: [])])[0], str)


def test_what_is_no_picture_is_refused(harness):
    with pytest.raises(ValueError, match="The task scenes has something else than pictures"):
        harness.generate_until([request("What is this?", 0, visual=lambda document: ["film.mp4"])])
    with pytest.raises(NotImplementedError, match="generate_until only"):
        harness.loglikelihood([])
