import pytest

from minigpt4.evaluation.scoring.caption_coverage import score, summarise
from minigpt4.evaluation.scoring.yes_no import yes_or_no


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("yes", "yes"),
        ("Yes.", "yes"),
        ("**No**, it misses the dog.", "no"),
        ("2. Yes", "yes"),
        ("- no", "no"),
        ("The answer is yes.", "yes"),
        ("Yes, no object is missing.", "yes"),
        ("Yes and no.", None),
        ("yes/no", None),
        ("It says yes to one and no to the other.", None),
        ("", None),
        ("I cannot tell. " * 1000, None),
        ("nothing yesterday", None),
        ("oui, はい", None),
    ],
)
def test_yes_or_no(reply, said):
    assert yes_or_no(reply) == said


def test_lines_for_several_references():
    reply = "1. Yes\n2. No, the cat is missing\n\n3. Perhaps\n4. yes\n5. YES"
    assert score(reply, 5) == {"score": 0.75, "covered": 3, "judged": 4, "unjudged": 1}


def test_more_verdicts_than_references_judge_nothing():
    assert score("yes\nno\nyes", 2) == {"score": None, "covered": 0, "judged": 0, "unjudged": 2}


def test_a_judge_needs_a_reference():
    with pytest.raises(ValueError, match=r"at least 1 reference \(got 0\)"):
        score("yes", 0)


def test_unjudged_is_counted_and_no_part_of_the_share():
    scores = [score("yes"), score("no"), score("Sorry."), score("yes")]
    assert summarise(scores) == {
        "coverage": pytest.approx(2 / 3),
        "covered_of_each": 0.5,
        "n": 4,
        "judged": 3,
        "unjudged": 1,
    }
    assert summarise([score("Sorry.")])["coverage"] == 0
