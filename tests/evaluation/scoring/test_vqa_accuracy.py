"""Scores by hand, from the definition: the mean over the ten sets of nine people of min(matches / 3, 1)."""

import pytest

from minigpt4.evaluation.scoring.vqa_accuracy import score, summarise
from minigpt4.evaluation.scoring.vqa_words import normalise


def people(matches: int, answer: str = "cat") -> list[str]:
    return [answer] * matches + [f"other {index}" for index in range(10 - matches)]


@pytest.mark.parametrize(("matches", "expected"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (9, 1)])
@pytest.mark.parametrize("published", [False, True])
def test_leave_one_out(matches, expected, published):
    assert score("cat", people(matches), published=published)["score"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answer", "normalised"),
    [
        ("Yes.", "yes"),
        ("yes", "yes"),
        ("The two dogs!", "2 dogs"),
        ("none", "0"),
        ("zero", "0"),
        ("ten", "10"),
        ("dont know", "don't know"),
        ("couldntve", "couldntve"),  # two apostrophes are missing: the official table has no such entry
        ("couldnt've", "couldn't've"),
        ("1,000", "1000"),
        ("3.5", "3.5"),
        ("U.S.A.", "usa"),
        ("black/white", "black white"),
        ("black / white", "black white"),
        ("red-and-blue", "red and blue"),
        ("a\n\tred  ball ", "red ball"),
        ("café 日本語", "café 日本語"),
        ("?!", ""),
        ("", ""),
    ],
)
def test_normalisation(answer, normalised):
    assert normalise(answer) == normalised


def test_published_normalises_only_where_people_differ():
    assert score("a cat", ["cat"] * 10)["score"] == 1
    assert score("a cat", ["cat"] * 10, published=True)["score"] == 0
    assert score("a cat", ["cat"] * 9 + ["dog"], published=True)["score"] == 1
    assert score("Cat<unk>", ["cat"] * 10, published=True)["score"] == 1
    assert score("cat", ["Cat"] * 10, published=True)["score"] == 0  # the people's answers are not lower-cased


def test_published_removes_32_periods():
    dots = "." * 33 + "cat"
    assert score(dots, people(9))["score"] == 1
    assert score(dots, people(9), published=True)["score"] == 0
    assert score(dots[1:], people(9), published=True)["score"] == 1


@pytest.mark.parametrize("answer", ["", "cat " * 5000, "ネコ", "{<1><2><3><4>}", "'" * 100])
@pytest.mark.parametrize("published", [False, True])
def test_what_matches_nobody_scores_nothing(answer, published):
    assert score(answer, people(9), published=published)["score"] == 0


def test_a_target_without_answers_is_an_error():
    with pytest.raises(ValueError, match=r"must be the answers of people \(got none\)"):
        score("cat", [])


def test_summary():
    scores = [score("cat", people(1)), score("cat", people(4)), score("?", people(4))]
    assert summarise(scores) == {"accuracy": pytest.approx(1.3 / 3), "n": 3, "empty": 1}
    assert summarise([]) == {"accuracy": 0, "n": 0, "empty": 0}
