"""From rows to scores and intervals, on rows made by hand."""

import pytest

from minigpt4.evaluation.running.results import interval
from minigpt4.evaluation.running.scoring import Scorer, padded_as_published
from minigpt4.evaluation.scoring import chair, vqa_accuracy
from minigpt4.evaluation.tasks import Sample, find_tasks


def test_choices_are_padded_as_published():
    """Ten questions at a time; the first choices are one batch, the second ones another; `none` where there are fewer."""
    row = {"prompt_tokens": 10, "filler_tokens": 4}
    rows = [
        {**row, "id": "a", "losses": [[1.0] * 2, [1.0] * 3]},
        {**row, "id": "b", "prompt_tokens": 12, "losses": [[1.0] * 6, [1.0], [1.0]]},
        *({**row, "id": str(number), "losses": [[1.0], [1.0]]} for number in range(8)),
        {**row, "id": "c", "losses": [[1.0] * 9, [1.0] * 2]},
    ]
    padded = padded_as_published(rows)
    assert padded[0]["padded_lengths"] == [18, 13]  # of b: 12 + 6; of a and b: 10 + 3 and 12 + 1
    assert padded[1]["padded_lengths"] == [18, 13, 14]
    assert padded[10]["padded_lengths"] == [19, 12]


def test_published_ranking_prefers_short_choices():
    [task] = find_tasks("iconqa")
    row = {"prompt_tokens": 10, "filler_tokens": 4, "losses": [[0.5] * 6, [1.0, 1.0]]}
    sample = Sample("a", "", target=0)
    assert Scorer(task).scores([row], [sample])[0]["score"] == 1.0
    assert Scorer(task, published=True).scores([row], [sample])[0]["score"] == 0.0
    failed = Scorer(task).scores([{"id": "a", "error": "no picture"}], [sample])
    assert Scorer(task).figures(failed)["accuracy"] == 0.0


def test_the_published_answer_is_scored_where_it_differs():
    [task] = find_tasks("gqa")
    row = {"answer": "yes", "answer_as_published": "yes ###", "finished": True}
    sample = Sample("a", "", target="yes")
    assert Scorer(task).score(row, sample)["score"] == 1.0
    assert Scorer(task, published=True).score(row, sample)["score"] == 0.0


def test_probability_of_yes():
    [task] = find_tasks("hm")
    row = {"answer": "no", "losses": [[0.0], [1.0986123]], "finished": True}  # ln 3
    assert Scorer(task).score(row, Sample("a", "", target=1))["probability"] == pytest.approx(0.75)


def test_interval_of_a_mean():
    """By the normal approximation of a share of one half in 400: half of a standard error of 2.5 % in each direction."""
    scores = [{"score": float(index % 2), "parsed": "x"} for index in range(400)]
    low, high = interval(lambda some: vqa_accuracy.summarise(some)["accuracy"], scores)
    assert low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.005)
    assert high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.005)


def test_interval_of_a_difference_is_paired():
    """Samples differ much, the two models never: the difference is certain."""
    first = [{"score": float(index % 2), "parsed": "x"} for index in range(100)]
    bounds = interval(lambda some: vqa_accuracy.summarise(some)["accuracy"], first, list(first))
    assert bounds == (0.0, 0.0)


def test_interval_of_a_ratio():
    """CHAIR_i is no mean over answers: the interval is of the ratio."""
    scores = [
        chair.score(text, {"objects": ["dog"]}, synonyms=chair.Synonyms([["dog"], ["cat"]]))
        for text in ["a dog, a dog, a dog and a cat", "a cat", "a dog"] * 20
    ]
    value = chair.summarise(scores)["chair_i"]
    low, high = interval(lambda some: chair.summarise(some)["chair_i"], scores)
    assert value == pytest.approx(2 / 6)
    assert low < value < high
    assert high - low < 0.3


def test_no_samples_no_interval():
    assert interval(lambda some: 0.0, []) == (0.0, 0.0)
