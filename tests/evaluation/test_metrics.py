"""The modules for `evaluate`: loaded by their path, alone and combined."""

import evaluate
import pytest

from minigpt4.evaluation.metrics import METRICS, metric_path


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """`evaluate` copies modules and samples into its cache: here, one of its own."""
    folder = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate.config, "HF_MODULES_CACHE", folder / "modules")
        patch.syspath_prepend(folder / "modules")
        yield lambda name: evaluate.load(metric_path(name), cache_dir=str(folder))


CASES = {
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
def test_loaded_by_path(load, name):
    inputs, expected = CASES[name]
    result = load(name).compute(**inputs)
    assert result == {key: pytest.approx(value) for key, value in expected.items()}
    assert all(type(value) in (int, float) for value in result.values())


def test_combined(load):
    """What they share is told apart by the metric's name."""
    both = evaluate.combine([load("vqa_accuracy"), load("failure_rate")])
    result = both.compute(**CASES["vqa_accuracy"][0])
    assert result["vqa_accuracy_n"] == result["failure_rate_n"] == 2
    assert (result["accuracy"], result["fragment"]) == (0.5, 1)


def test_unknown_metric():
    with pytest.raises(ValueError, match="'bleu' is not a metric: choose from"):
        metric_path("bleu")
