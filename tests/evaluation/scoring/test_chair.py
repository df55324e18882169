import pytest

from minigpt4.evaluation.scoring.chair import Synonyms, score, summarise


TABLE = Synonyms(
    [
        ["person", "man", "woman", "people", "child", "children"],
        ["dog", "puppy"],
        ["hot dog", "hotdog"],
        ["knife"],
        ["bus"],
        ["dining table", "table"],
    ]
)


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("A dog and two puppies.", ["dog", "dog"]),
        ("Hot dogs on the dining tables", ["hot dog", "dining table"]),  # no dog
        ("Men, women and people; a man's knives. Buses!", ["person"] * 3 + ["knife", "bus"]),
        ("DOG dog-house", ["dog"]),
        ("", []),
        ("ein Hund, 犬", []),
        ("dog " * 5000, ["dog"] * 5000),
    ],
)
def test_mentions(text, mentions):
    assert list(TABLE.mentions(text)) == mentions


def test_one_description():
    figures = score("A man with a dog, a dog and a bus.", {"objects": ["person", "table"]}, synonyms=TABLE)
    assert figures == {
        "score": 0.75,
        "mentions": ["person", "dog", "dog", "bus"],
        "hallucinated": ["dog", "dog", "bus"],
        "found": 1,
        "present": 2,
        "words": 10,
    }


def test_what_people_wrote_is_in_the_picture():
    target = {"objects": [], "captions": ["Two dogs at a table"]}
    assert score("A puppy.", target, synonyms=TABLE)["hallucinated"] == []


def test_summary():
    """Four mentions, of which two are wrong, in one of three answers; two of the three kinds are found."""
    target = {"objects": ["dog"]}
    scores = [
        score("A dog, a bus and a knife. The dog sits.", target, synonyms=TABLE),
        score("A puppy", target, synonyms=TABLE),
        score("", target, synonyms=TABLE),
    ]
    assert summarise(scores) == {
        "chair_i": 0.4,
        "chair_s": pytest.approx(1 / 3),
        "recall": pytest.approx(2 / 3),
        "mean_words": 4,
        "n": 3,
        "without_objects": 1,
    }
    assert summarise([])["chair_i"] == 0


def test_a_table_from_a_file(tmp_path):
    file = tmp_path / "synonyms.txt"
    file.write_text("dog, puppy\n\ncat, kitten , house cat\n", encoding="utf-8")
    assert list(Synonyms.read(file).mentions("House cats and a puppy")) == ["cat", "dog"]
    file.write_text("dog, pet\ncat, pet\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"synonyms.txt: The word 'pet' stands for both 'dog' and 'cat'\."):
        Synonyms.read(file)
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match="must have words"):
        Synonyms.read(file)


def test_an_unknown_object_is_an_error():
    with pytest.raises(ValueError, match="has no 'giraffe'"):
        score("A dog.", {"objects": ["giraffe"]}, synonyms=TABLE)
