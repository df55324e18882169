"""A model through VLMEvalKit's class."""

from importlib import import_module

import pytest
from helpers import read_guide


@pytest.fixture
def harness(harnesses, tiny_checkpoint):
    module = import_module("minigpt4.evaluation.harnesses.vlmevalkit")
    return module.MiniGPT4(str(tiny_checkpoint), max_new_tokens=40)


def message(text: str, *pictures) -> list[dict]:
    return [*({"type": "image", "value": str(one)} for one in pictures), {"type": "text", "value": text}]


def test_the_guide_names_the_class(harness):
    guide = read_guide("evaluate")
    assert f"`{type(harness).__name__}` from\n`{type(harness).__module__}`" in guide


def test_answers_are_greedy_texts(harness, picture):
    first, again, short = (
        harness.generate(message(text, picture), dataset="POPE") for text in ("Is it?", "Is it?", "What is it?")
    )
    assert first == again != short


@pytest.mark.parametrize(
    ("dataset", "text", "prompt"),
    [
        (None, "What is it?", "[vqa] What is it?"),
        ("POPE", "Is there a dog?", "[vqa] Is there a dog?"),
        ("COCO_VAL", "Describe it.", "[caption] Describe it."),
        (
            "RefCOCO",
            "Please provide the bounding box coordinate of the region this sentence describes: <ref>the dog</ref>",
            "[refer] give me the location of the dog",
        ),
    ],
)
def test_boxes_and_prompts(harness, dictate, picture, dataset, text, prompt):
    prompts = dictate(harness, "{<10><20><30><40>}")
    assert harness.generate(message(text, picture), dataset=dataset) == "[100, 200, 300, 400]"
    assert f" {prompt}###" in prompts[-1]
