import pytest

from minigpt4.evaluation.reports.groups import bar, by_kind, by_length, by_size


def sample(score: float | None, answer: str = "yes", target=None, kind: str = "") -> dict:
    return {"answer": answer, "scores": {"score": score}, "target": target, "kind": kind}


def boxed(score: float, share: float) -> dict:
    return sample(score, target={"boxes": [[0, 0, 100 * share, 100]], "width": 100, "height": 100})


def test_mean_and_interval_of_a_group():
    """Of 0, 0, 1, 1 the standard deviation is 0.577, that of the mean 0.289."""
    made = bar("all", [sample(score) for score in (0, 0, 1, 1, None)], 100)
    assert made == (
        "all",
        50,
        pytest.approx(50 - 196 * 0.28868, abs=0.01),
        pytest.approx(50 + 196 * 0.28868, abs=0.01),
        4,
    )
    assert bar("none", [sample(None)], 100) is None


def test_answers_of_one_length_stay_together():
    answers = ["no"] * 6 + ["a dog", "a cat"] + ["a big dog"] * 2
    bars = by_length([sample(1, answer) for answer in answers], 100)
    assert [(made.label, made.n) for made in bars] == [("1 word", 6), ("2 words", 2), ("3 words", 2)]
    bars = by_length([sample(1, "a " * length) for length in range(1, 11)], 100)
    assert [made.label for made in bars] == [f"{length} to {length + 1} words" for length in range(1, 11, 2)]


def test_samples_without_an_answer_have_no_length():
    failed = {"error": "no picture", "scores": {"score": 0}}
    bars = by_length([failed, sample(1), sample(1, "a dog")], 100)
    assert [made.n for made in bars] == [1, 1]
    assert by_length([failed], 100) == []


def test_sizes_are_shares_of_the_picture():
    bars = by_size([boxed(1, 0.01), boxed(0, 0.02), boxed(1, 0.05), boxed(1, 0.3), sample(1, target=["yes"])], 100)
    assert [(made.label, made.value, made.n) for made in bars] == [
        ("below 2 %", 100, 1),
        ("2 to 10 %", 50, 2),
        ("30 % and more", 100, 1),
    ]
    objects = {"objects": [{"label": "dog", "box": [0, 0, 10, 10]}], "width": 100, "height": 100}
    assert [made.n for made in by_size([sample(1, target=objects), boxed(1, 0.5)], 100)] == [1, 1]


def test_one_group_says_nothing():
    assert by_kind([sample(1, kind="colour"), sample(0, kind="colour")], 100) == []
    assert len(by_kind([sample(1, kind="colour"), sample(0, kind="count")], 100)) == 2
