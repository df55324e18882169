import pytest

from minigpt4.evaluation.scoring.exact_match_vqa import score, summarise


@pytest.mark.parametrize(
    ("answer", "right", "published"),
    [
        ("yes", 1, 1),
        ("YES", 1, 1),
        ("yes<unk>", 0, 1),
        ("yes.", 1, 0),
        ("Yes!", 1, 0),
        ("", 0, 0),
        ("no", 0, 0),
        ("yes yes", 0, 0),
        ("yes " * 5000, 0, 0),
        ("はい", 0, 0),
    ],
)
def test_yes(answer, right, published):
    assert score(answer, "yes")["score"] == right
    assert score(answer, "yes", published=True)["score"] == published


def test_the_published_label_is_taken_as_it_is():
    assert score("true", "True")["score"] == 1
    assert score("True", "True", published=True)["score"] == 0


def test_summary():
    assert summarise([score(said, "a dog") for said in ("dog", "cat", ".")]) == {
        "accuracy": pytest.approx(1 / 3),
        "n": 3,
        "empty": 1,
    }
