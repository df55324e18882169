from itertools import islice

import pytest

from minigpt4.evaluation.scenes import describe, sample_scenes
from minigpt4.evaluation.scoring.failure_rate import failures, score, summarise


GOOD = "The image shows a small dog on a beach. It runs towards the sea, and its owner watches it."
LOOP = "The dog runs on the beach and the dog runs on the beach and "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD, []),
        (f"\u201c{GOOD}\u201d \U0001f415", []),
        ("A very, very, very big dog sits on the sand.", []),  # three times is emphasis
        ("A dog dog dog dog sits on the sand.", ["repetition"]),
        ("Knock, knock, knock, knock: who is there?", ["repetition"]),
        ("The dog and the dog and the dog and the dog sit here.", ["repetition"]),
        ("The dog and the dog and the cat sit here.", []),
        (LOOP * 3, ["repetition", "fragment"]),
        ("A dogogogogogogogogogogogog sits here.", ["repetition"]),
        ("It costs 10000000000000 dollars.\n------------\nThat is a lot.", []),
        ("A dog sits here. The sky is blue. A dog sits here.", ["repeated_sentence"]),
        ("Yes. It is a dog that sits here. Yes.", []),  # too short to count
        ("The image shows a small dog on a", ["fragment"]),
        ("The image shows a small dog, a cat,", ["fragment"]),
        ("Dog.", ["fragment"]),
        ("", ["fragment"]),
        (" \n\t", ["fragment"]),
        ("yes", ["fragment"]),
        ("yes.", ["fragment"]),
        ("The image shows a dog. El perro est\u00e1 corriendo en el parque con su due\u00f1o.", ["other_language"]),
        ("Das Bild zeigt einen kleinen Hund am Strand.", ["other_language"]),
        ("\u56fe\u7247\u4e2d\u6709\u4e00\u53ea\u72d7\u5728\u8349\u5730\u4e0a\u5954\u8dd1\u3002", ["other_language"]),
        ("The image shows a dog on the grass \u5728\u8349\u5730\u4e0a\u5954\u8dd1.", ["other_language"]),
        ("The sign above the door says \u51fa\u53e3.", []),  # two characters are a quotation
        ("<p>A small dog</p> {<10><10><50><50>} sits on <p>the sand</p> {<0><50><100><100>}.", []),
        ("{<10><10><50><50>}" * 50, ["fragment"]),
    ],
)
def test_failures(text, expected):
    assert failures(text) == expected


def test_no_end_is_told_by_whoever_generated():
    assert failures(GOOD, finished=False) == ["no_end"]


def test_more_than_half_repeated():
    """No loop: two clauses, in changing order."""
    clauses = ["the big red dog runs over the wide green field", "a small white cat sleeps under the old brown table"]
    text = ", ".join(clauses[index] for index in (0, 1, 1, 0, 0, 1, 0, 1, 1, 0))
    assert failures(f"{text}.") == ["repetition"]
    assert failures(", ".join(clauses) + ".") == []


def test_the_language_asked_for():
    text = "Das Bild zeigt einen kleinen Hund am Strand."
    assert failures(text, language="de") == failures(text, language=None) == []
    with pytest.raises(ValueError, match="'klingon' is not a language that can be told"):
        failures(text, language="klingon")


def test_right_descriptions_do_not_fail():
    """Of scenes with up to four objects, which are described alike."""
    assert [failures(describe(scene)) for scene in islice(sample_scenes("failures"), 100)] == [[]] * 100


@pytest.mark.parametrize(
    "text", ["cat " * 20_000, "x" * 50_000, "ab cd ef " * 10_000, "{<1><2>" * 10_000, "\u3002" * 50_000]
)
def test_very_long_answers_fail(text):
    assert "fragment" in failures(text)


def test_summary():
    texts = [(GOOD, True), (GOOD, False), (LOOP * 3, False), ("Dog.", True)]
    assert summarise([score(text, finished=finished) for text, finished in texts]) == {
        "failure_rate": 0.75,
        "repetition": 0.25,
        "repeated_sentence": 0,
        "no_end": 0.5,
        "fragment": 0.5,
        "other_language": 0,
        "n": 4,
    }
    assert summarise([])["failure_rate"] == 0
