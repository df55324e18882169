"""The modules for `evaluate`: loaded by their path, alone and combined."""

import re

import evaluate
import pytest
from helpers import read_guide

from minigpt4.evaluation.metrics import METRICS, metric_path


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """`evaluate` copies modules and samples into its cache: here, one of its own."""
    folder = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate.config, "HF_MODULES_CACHE", folder / "modules")
        patch.syspath_prepend(folder / "modules")
        yield lambda name: evaluate.load(metric_path(name), cache_dir=str(folder))


PEOPLE = ["cat"] * 2 + ["dog"] * 8

CASES = {
    "exact_match_vqa": (
        {"predictions": ["Yes.", "no", ""], "references": ["yes"] * 3},
        {"accuracy": 1 / 3, "n": 3, "empty": 1},
    ),
    "vizwiz_accuracy": (
        {"predictions": ["cat", "?"], "references": [PEOPLE] * 2},
        {"accuracy": 0.3, "accuracy_official": 0.3, "accuracy_published": 1 / 3, "n": 2, "empty": 1},
    ),
    "choice_ranking": (
        {"predictions": [{"losses": [[1.0, 1.0, 1.0], [2.0]], "padded_lengths": [7, 7]}], "references": [0]},
        {"accuracy": 1, "accuracy_mean": 1, "accuracy_published": 0, "n": 1},
    ),
    "chair": (
        {
            "predictions": ["Two dogs and a cat.", "Nothing here."],
            "references": [{"objects": ["dog"], "captions": []}, {"objects": ["cat"], "captions": ["A puppy."]}],
        },
        {"chair_i": 0.5, "chair_s": 0.5, "recall": 1 / 3, "mean_words": 3.5, "n": 2, "without_objects": 1},
    ),
    "caption_coverage": (
        {"predictions": ["Yes.", "1. yes\n2. no", "Perhaps."], "references": [1, 2, 1]},
        {"coverage": 2 / 3, "covered_of_each": 2 / 3, "n": 3, "judged": 3, "unjudged": 1},
    ),
    "detection": (
        {
            "predictions": ["<p>dog</p> {<10><10><50><50>}<delim>{<60><60><90><90>}", "none"],
            "references": [
                {"objects": [{"label": "dog", "box": [10, 10, 50, 50], "crowd": False}], "width": 100, "height": 100},
                {"objects": [{"label": "cat", "box": [10, 10, 50, 50], "crowd": False}], "width": 100, "height": 100},
            ],
        },
        {"precision": 0.5, "recall": 0.5, "ap50": 0.5, "n": 2, "boxes": 2, "unparsable": 1},
    ),
    "hateful_memes": (
        {"predictions": ["Yes.", "no", "a meme"], "references": [1, 1, 0], "probabilities": [0.9, 0.4, 0.4]},
        {"accuracy": 1 / 3, "auroc": 0.75, "n": 3, "unparsable": 1},
    ),
    "failure_rate": (
        {
            "predictions": ["A small dog sits.", "A small dog sits.", "A dog dog dog dog."],
            "finished": [True, False, True],
        },
        {
            "failure_rate": 2 / 3,
            "repetition": 1 / 3,
            "repeated_sentence": 0,
            "no_end": 1 / 3,
            "fragment": 0,
            "other_language": 0,
            "n": 3,
        },
    ),
    "vqa_accuracy": (
        {"predictions": ["a cat", "dog"], "references": [["cat"] * 10, ["cat"] * 10]},
        {"accuracy": 0.5, "n": 2, "empty": 0},
    ),
    "grounding_accuracy": (
        {
            "predictions": ["{<10><10><50><50>}", "left"],
            "references": [{"boxes": [[10, 10, 50, 50]], "width": 100, "height": 100}] * 2,
        },
        {"accuracy": 0.5, "mean_iou": 0.5, "n": 2, "unparsable": 1, "several": 0, "corrected": 0},
    ),
}


def test_every_metric_has_a_case():
    assert set(CASES) == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_loaded_by_path(load, name, tmp_path):
    inputs, expected = CASES[name]
    if name == "chair":
        (tmp_path / "synonyms.txt").write_text("dog, puppy\ncat, kitten\n")
        inputs = {**inputs, "synonyms": str(tmp_path / "synonyms.txt")}
    result = load(name).compute(**inputs)
    assert result == {key: pytest.approx(value) for key, value in expected.items()}
    assert all(type(value) in (int, float) for value in result.values())


def test_combined(load):
    """What they share is told apart by the metric's name."""
    both = evaluate.combine([load("vqa_accuracy"), load("failure_rate")])
    result = both.compute(**CASES["vqa_accuracy"][0])
    assert result["vqa_accuracy_n"] == result["failure_rate_n"] == 2
    assert (result["accuracy"], result["fragment"]) == (0.5, 1)


def test_the_guide_has_them_all():
    rows = re.findall(
        r"^\| `(\w+)` \|", read_guide("evaluate").partition("## The metrics alone")[2], flags=re.MULTILINE
    )
    assert sorted(rows) == list(METRICS)


def test_unknown_metric():
    with pytest.raises(ValueError, match="'bleu' is not a metric: choose from"):
        metric_path("bleu")
