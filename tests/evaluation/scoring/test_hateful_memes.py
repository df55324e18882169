import pytest

from minigpt4.evaluation.scoring.hateful_memes import score, summarise


@pytest.mark.parametrize(
    ("answer", "parsed", "published"),
    [
        ("yes", "yes", "yes"),
        (" NO\n", "no", "no"),
        ("yes.", "yes", None),
        ("No, it is not.", "no", None),
        ("hateful", None, None),
        ("", None, None),
        ("yes and no", None, None),
        ("да", None, None),
    ],
)
def test_anything_but_yes_and_no_is_wrong(answer, parsed, published):
    for label in (0, 1):
        for said, strict in ((parsed, False), (published, True)):
            figures = score(answer, label, published=strict)
            assert figures["parsed"] == said
            assert figures["score"] == (said == ("no", "yes")[label])


def auroc(*samples: tuple[int, float]) -> float:
    return summarise([score("yes", label, probability=probability) for label, probability in samples])["auroc"]


def test_area_under_the_curve():
    assert auroc((1, 0.9), (1, 0.8), (0, 0.3), (0, 0.1)) == 1
    assert auroc((0, 0.9), (1, 0.1)) == 0
    assert auroc((1, 0.5), (0, 0.5)) == 0.5
    assert auroc((1, 0.9), (0, 0.7), (1, 0.6), (0, 0.2)) == 0.75  # of four pairs one is the wrong way round
    assert auroc((1, 0.9), (0, 0.7), (1, 0.7), (0, 0.2)) == 0.875


def test_no_area_without_all_probabilities_and_both_labels():
    assert summarise([score("yes", 1), score("no", 0, probability=0.2)]) == {"accuracy": 1, "n": 2, "unparsable": 0}
    assert "auroc" not in summarise([score("yes", 1, probability=0.2)])


def test_another_label_is_an_error():
    with pytest.raises(ValueError, match=r"must be 0 or 1 \(got 2\)"):
        score("yes", 2)
