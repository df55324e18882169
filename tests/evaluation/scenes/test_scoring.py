import pytest

from minigpt4.evaluation.scenes.scoring import answer_is_right, score_description, summarise_descriptions
from minigpt4.evaluation.scenes.wording import Question, describe
from minigpt4.evaluation.scenes.world import Scene, SceneObject


SCENE = Scene(
    "white", (SceneObject("large", "red", "circle", "top-left"), SceneObject("small", "blue", "star", "bottom"))
)
RIGHT = describe(SCENE)


def test_a_right_description():
    score = score_description(SCENE, RIGHT)
    assert score.wholly_right
    assert score.right.total() == score.asked.total() == score.facts_said == 10
    assert (score.objects_right, score.objects_asked, score.objects_said) == (2, 2, 2)
    assert not score.failures


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (RIGHT.replace("white", "black"), "background"),
        (RIGHT.replace("two", "three"), "count"),
        (RIGHT.replace("large", "small"), "size"),
        (RIGHT.replace("blue", "green"), "colour"),
        (RIGHT.replace("star", "ring"), "shape"),
        (RIGHT.replace("bottom", "bottom-left"), "position"),
    ],
)
def test_one_wrong_fact(said, kind):
    score = score_description(SCENE, said)
    assert not score.wholly_right
    assert score.asked - score.right == {kind: 1}
    assert score.objects_right == (2 if kind in ("background", "count") else 1)
    assert not score.failures


def test_objects_are_paired_as_they_agree_best():
    swapped = (
        "The image shows two objects on a white background. "
        "A small blue star is at the bottom. A large red circle is at the top-left."
    )
    assert score_description(SCENE, swapped).wholly_right
    only_second = "The image shows two objects on a white background. A small blue star is at the bottom."
    score = score_description(SCENE, only_second)
    assert score.right.total() == 6
    assert (score.objects_right, score.objects_said) == (1, 1)


def test_what_is_said_beyond_the_scene_counts():
    score = score_description(SCENE, f"{RIGHT} A small pink ring is at the center.")
    assert score.right == score.asked
    assert not score.wholly_right
    assert summarise_descriptions([score])["facts_precision"] == pytest.approx(10 / 14)
    assert summarise_descriptions([score])["objects_precision"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("said", "finished", "failures"),
    [
        (f"{RIGHT} A small blue star is at the bottom.", True, {"repetition"}),
        (RIGHT, False, {"no end"}),
        ("a red circle", True, {"fragment"}),
        ("", True, {"fragment"}),
        (" ".join([RIGHT] * 20), False, {"repetition", "no end"}),
    ],
)
def test_failures(said, finished, failures):
    score = score_description(SCENE, said, finished)
    assert score.failures == failures
    assert not score.wholly_right


def test_shares_are_over_all_descriptions():
    summary = summarise_descriptions([score_description(SCENE, RIGHT), score_description(SCENE, "", finished=False)])
    assert summary["scenes_right"] == summary["facts"] == summary["objects_recall"] == 0.5
    assert summary["facts_precision"] == summary["objects_precision"] == 1
    assert set(summary["facts_by_kind"].values()) == {0.5}
    assert summary["failures"] == {"repetition": 0, "no end": 0.5, "fragment": 0.5}


@pytest.mark.parametrize(
    ("right", "said", "expected"),
    [
        ("The star is red.", "The star is red.", True),
        ("The star is red.", "the star is Red", True),
        ("The star is red.", "The star is green.", False),
        ("The star is red.", "The ring is red.", False),
        ("There are two crosses.", "There are two cross.", True),
        ("There are two crosses.", "There are three crosses.", False),
        ("Yes, there is a red star.", "No, there is no red star.", False),
        ("There is nothing at the top.", "There is a red star at the top.", False),
        ("The star is at the top.", "The star is at the top-left.", False),
        ("The star is red.", "", False),
    ],
)
def test_answers(right, said, expected):
    assert answer_is_right(Question("any", "?", right), said) is expected
