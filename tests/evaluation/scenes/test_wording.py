import random
from itertools import islice

import pytest

from minigpt4.evaluation.scenes.parsing import parse
from minigpt4.evaluation.scenes.wording import PLURALS, QUESTION_KINDS, ask, caption, describe, summarise
from minigpt4.evaluation.scenes.world import OBJECT_FACTS, Scene, SceneObject, sample_scenes


SCENE = Scene(
    "white", (SceneObject("large", "red", "circle", "top-left"), SceneObject("small", "red", "star", "bottom"))
)


def test_description():
    assert describe(SCENE) == (
        "The image shows two objects on a white background. "
        "A large red circle is at the top-left. A small red star is at the bottom."
    )


def test_summary():
    assert summarise(SCENE) == (
        "On a white background there is a large red circle at the top-left and a small red star at the bottom."
    )


@pytest.mark.parametrize("tell", [describe, summarise])
def test_what_is_told_is_read_back(tell):
    for scene in islice(sample_scenes(0), 200):
        parsed = parse(tell(scene))
        assert parsed.background == scene.background
        assert [tuple(obj[fact] for fact in OBJECT_FACTS) for obj in parsed.objects] == [
            (obj.size, obj.colour, obj.shape, obj.position) for obj in scene.objects
        ]
        assert tell is summarise or parsed.count == scene.count


def test_what_a_description_leaves_out_is_none():
    parsed = parse("A red circle and then a star is at the top")
    assert parsed.background is parsed.count is None
    assert parsed.objects == (
        {"size": None, "colour": "red", "shape": "circle", "position": None},
        {"size": None, "colour": None, "shape": "star", "position": "top"},
    )


def test_captions_are_short_and_true():
    rng = random.Random(0)
    told = {}
    for scene in islice(sample_scenes(0), 300):
        text = caption(scene, rng)
        assert text == text.lower()
        assert len(text.split()) <= 9
        for obj in parse(text).objects:
            said = {fact: value for fact, value in obj.items() if value is not None}
            assert any(said.items() <= vars(true).items() for true in scene.objects)
            for fact in said:
                told[fact] = told.get(fact, 0) + 1
    assert set(told) == set(OBJECT_FACTS)


def matching(scene, name):
    """The objects that a name such as `small star` or `red object` fits."""
    words = [word for word in name.split() if word != "object"]
    return [obj for obj in scene.objects if all(word in (obj.size, obj.colour, obj.shape) for word in words)]


def name_in(text, start, end):
    return text.split(start, 1)[1].rsplit(end, 1)[0]


@pytest.mark.parametrize("kind", QUESTION_KINDS)
def test_answers_are_true_and_questions_have_one_answer(kind):
    rng = random.Random(kind)
    answers = set()
    for scene in islice(sample_scenes(kind), 300):
        question = ask(scene, kind, rng)
        answers.add(question.answer)
        at = {obj.position: obj for obj in scene.objects}
        words = question.answer.rstrip(".").split()
        if kind == "background":
            assert words[-1] == scene.background
        elif kind in ("colour", "shape", "size", "where") and question.answer.startswith("The"):
            name = name_in(question.answer, "The ", " is ")
            fits = [at[name.split()[-1]]] if name.startswith("object at") else matching(scene, name)
            assert len(fits) == 1
            assert name in question.text
            assert words[-1] == getattr(fits[0], "position" if kind == "where" else kind)
        elif kind in ("at", "where"):
            place = words[-1]
            assert place in question.text
            assert question.answer == f"There is {f'a {at[place]}' if place in at else 'nothing'} at the {place}."
        elif kind == "count":
            number = ["no", "one", "two", "three", "four"].index(words[2])
            *adjective, noun = words[3:]
            assert (noun in PLURALS.values()) == (number != 1)
            singular = {plural: name for name, plural in PLURALS.items()}.get(noun, noun)
            assert len(matching(scene, " ".join((*adjective, singular)))) == number
        else:
            name = name_in(question.answer, " there is ", ".").split(" ", 1)[1]
            assert question.answer.startswith("Yes") == bool(matching(scene, name))
    assert len(answers) > 3


def test_yes_and_no_are_asked_equally_often():
    rng = random.Random(0)
    yes = [ask(scene, "exists", rng).answer.startswith("Yes") for scene in islice(sample_scenes(0), 1000)]
    assert 0.45 < sum(yes) / len(yes) < 0.55


def test_a_scene_of_like_objects_can_be_asked_about_in_every_way():
    twins = Scene("black", tuple(SceneObject("small", "pink", "ring", place) for place in ("top", "left", "right")))
    rng = random.Random(0)
    for kind in QUESTION_KINDS:
        for _ in range(20):
            assert ask(twins, kind, rng).answer
