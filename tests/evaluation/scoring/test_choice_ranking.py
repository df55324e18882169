import pytest

from minigpt4.evaluation.scoring.choice_ranking import score, summarise


LONG_AND_SHORT = {"losses": [[1.0, 1.0, 1.0], [2.0]], "padded_lengths": [11, 11]}


def test_short_candidates_gain_by_the_published_sum():
    """By the mean, 1.0 against 2.0; by the published score 3.0 / 10 against 2.0 / 10."""
    assert score(LONG_AND_SHORT, 0) == {"score": 1, "mean": 1, "published": 0, "parsed": 0}
    assert score(LONG_AND_SHORT, 0, published=True) == {"score": 0, "mean": 1, "published": 0, "parsed": 1}


def test_the_padded_length_of_each_candidate_counts():
    """3.0 / 20 against 2.0 / 10."""
    answer = {**LONG_AND_SHORT, "padded_lengths": [21, 11]}
    assert score(answer, 0, published=True)["score"] == 1


def test_of_equal_candidates_the_first_is_chosen():
    assert score({"losses": [[1.0], [1.0]]}, 0)["parsed"] == 0


@pytest.mark.parametrize(
    ("answer", "target", "published", "message"),
    [
        ({"losses": []}, 0, False, "one has none"),
        ({"losses": [[1.0], []]}, 0, False, "one has none"),
        ({"losses": [[1.0], [1.0]]}, 2, False, r"0 to 1 \(got 2\)"),
        ({"losses": [[1.0], [1.0]]}, -1, False, r"0 to 1 \(got -1\)"),
        ({"losses": [[1.0], [1.0]]}, 0, True, "needs padded_lengths"),
    ],
)
def test_errors(answer, target, published, message):
    with pytest.raises(ValueError, match=message):
        score(answer, target, published=published)


def test_summary():
    scores = [score(LONG_AND_SHORT, 0), score(LONG_AND_SHORT, 1)]
    assert summarise(scores) == {"accuracy": 0.5, "accuracy_mean": 0.5, "accuracy_published": 0.5, "n": 2}
    assert "accuracy_published" not in summarise([*scores, score({"losses": [[1.0]]}, 0)])
