import random
from itertools import islice

import pytest

from minigpt4.evaluation.scenes.boxed import request, sample_boxed_scenes
from minigpt4.evaluation.scenes.boxed.wording import CHAT, QUESTIONS, ask, caption
from minigpt4.evaluation.scenes.boxed.world import COUNTS
from minigpt4.evaluation.scenes.wording import SHAPES
from minigpt4.evaluation.scenes.world import COLOURS, POSITIONS
from minigpt4.processing.boxes import format_box, parse_grounding
from minigpt4.processing.tasks import TASKS


@pytest.fixture(scope="module")
def scenes():
    return list(islice(sample_boxed_scenes("words"), 120))


@pytest.fixture(scope="module")
def rng():
    return random.Random(0)


@pytest.mark.parametrize("task", TASKS)
def test_requests_begin_with_their_identifier_in_a_published_form(scenes, rng, task):
    for scene in scenes:
        made = request(scene, task, rng)
        assert made.instruction.startswith(f"[{task}] ")
        assert made.words == made.instruction.removeprefix(f"[{task}] ")
        assert any(
            made.instruction.startswith(start) and made.instruction.endswith(end)
            for start, _, end in (form.partition("{}") for form in TASKS[task].forms)
        )
        assert "the the" not in made.instruction


@pytest.mark.parametrize("task", ["refer", "detection", "grounding"])
def test_boxes_in_answers_are_those_of_the_objects(scenes, rng, task):
    for scene in scenes:
        made = request(scene, task, rng)
        read = parse_grounding(made.answer)
        assert not read.problems
        assert [format_box(box, (100, 100)) for box in read.boxes] == [
            format_box(box, scene.size) for _, boxes in made.phrases for box in boxes
        ]
        assert [words.phrase for words in read.phrases if words.phrase] == (
            [words for words, _ in made.phrases] if task != "refer" else []
        )


def matching(scene, words: str) -> list:
    """The objects that a name fits, read from its words."""
    kind, _, place = words.partition(" at the ")
    return [
        obj
        for obj in scene.objects
        if {*kind.split()} - {"object"} <= {obj.size, obj.colour, obj.shape} and place in ("", obj.position)
    ]


def test_names_fit_one_object_and_detection_finds_all(scenes, rng):
    several = 0
    for scene in scenes:
        [(words, [box])] = request(scene, "refer", rng).phrases
        assert [obj.box for obj in matching(scene, words)] == [box]
        [(words, boxes)] = request(scene, "detection", rng).phrases
        assert tuple(obj.box for obj in matching(scene, words)) == boxes
        several += len(boxes) > 1
    assert several > 15


def test_identify_names_what_is_in_the_box(scenes, rng):
    for scene in scenes:
        made = request(scene, "identify", rng)
        [obj] = [obj for obj in scene.objects if format_box(obj.box, scene.size) in made.instruction]
        assert made.answer == f"a {obj}"


def test_grounding_names_every_object(scenes, rng):
    for scene in scenes:
        made = request(scene, "grounding", rng)
        assert [words for words, _ in made.phrases] == [f"a {obj}" for obj in scene.objects]
        assert made.answer.endswith(f" on a {scene.background} background")


def test_questions_have_the_right_answer(scenes, rng):
    right = {"yes": 0, "no": 0}
    for scene in scenes:
        for kind in QUESTIONS:
            question = ask(scene, rng, kind)
            if question.kind != kind:
                continue
            words = question.text.rstrip("?").split()
            if kind in ("colour", "shape", "size", "where"):
                name = question.text.partition(" the ")[2].rstrip("?").removesuffix(" small or large")
                [obj] = matching(scene, name)
                fact = {"where": "position"}.get(kind, kind)
                assert question.short == getattr(obj, fact)
            elif kind == "exists":
                found = matching(scene, " ".join(words[3:]))
                assert question.short == ("yes" if found else "no")
                right[question.short] += 1
            elif kind == "count":
                singular = {f"{shape}{'es' if shape == 'cross' else 's'}": shape for shape in (*SHAPES, "object")}
                found = matching(scene, " ".join(singular.get(word, word) for word in words[2:-2]))
                assert question.short == (COUNTS[len(found) - 1] if found else "none")
            else:
                assert question.short == scene.background
            assert question.short.removesuffix("ne") in question.long.lower()
    assert min(right.values()) > 20


def test_the_same_question_has_a_short_and_a_long_answer(scenes, rng):
    asked = [request(scene, CHAT, rng) for scene in scenes]
    assert all(made.answer.endswith(".") and not made.instruction.startswith("[") for made in asked)
    assert {made.kind for made in asked} == {"description", *QUESTIONS}
    short = [request(scene, "vqa", rng).answer for scene in scenes]
    assert set(short) <= {*COLOURS, *SHAPES, *POSITIONS, *COUNTS, "small", "large", "yes", "no", "none"} | {
        scene.background for scene in scenes
    }


def test_captions_name_colours_and_shapes(scenes):
    for scene in scenes:
        assert all(f"{obj.colour} {obj.shape}" in caption(scene) for obj in scene.objects)
