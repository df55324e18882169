import pytest

from minigpt4.evaluation.scoring.vizwiz_accuracy import score, summarise


def people(matches: int) -> list[str]:
    return ["Cat"] * matches + [f"other {index}" for index in range(10 - matches)]


@pytest.mark.parametrize(
    ("matches", "official", "published"), [(0, 0, 0), (1, 0.3, 1 / 3), (2, 0.6, 2 / 3), (3, 0.9, 1), (4, 1, 1)]
)
def test_both(matches, official, published):
    figures = score("cat", people(matches))
    assert figures["score"] == figures["official"] == pytest.approx(official)
    assert figures["published"] == pytest.approx(published)
    assert score("cat", people(matches), published=True)["score"] == pytest.approx(published)


def test_published_normalises_nothing_but_the_case():
    figures = score("a cat.", people(10))
    assert (figures["official"], figures["published"]) == (1, 0)
    assert score("CAT", people(10))["published"] == 1
    assert score(" cat", people(10))["published"] == 0


def test_published_splits_answers_at_underscores():
    """As its ten answers are joined and split again."""
    assert score("cat", ["cat_cat_cat"] + ["dog"] * 9)["published"] == 1
    assert score("cat_dog", ["cat_dog"] * 10)["published"] == 0


@pytest.mark.parametrize("answer", ["", "cat " * 5000, "猫", "{<1><2><3><4>}"])
def test_what_matches_nobody(answer):
    figures = score(answer, people(9))
    assert (figures["official"], figures["published"]) == (0, 0)


def test_summary():
    scores = [score("cat", people(1), published=True), score("", people(4), published=True)]
    assert summarise(scores) == {
        "accuracy": pytest.approx(1 / 6),
        "accuracy_official": pytest.approx(0.15),
        "accuracy_published": pytest.approx(1 / 6),
        "n": 2,
        "empty": 1,
    }
