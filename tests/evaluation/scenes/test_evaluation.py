import io
import json

import pytest
from rich.console import Console
from transformers import AutoModelForImageTextToText, AutoProcessor

from minigpt4.evaluation.scenes import evaluate_scenes, print_scores
from minigpt4.evaluation.scenes.wording import QUESTION_KINDS
from minigpt4.processing.tasks import TASKS


def test_an_untrained_model_scores_nothing(tiny_checkpoint):
    model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint).eval()
    processor = AutoProcessor.from_pretrained(tiny_checkpoint)
    scores = evaluate_scenes(model, processor, scenes=4, seed=1, batch_size=3)
    assert scores == json.loads(json.dumps(scores))
    assert (scores["scenes"], scores["seed"]) == (4, 1)
    assert set(scores["questions"]["by_kind"]) == set(QUESTION_KINDS)
    assert scores["descriptions"]["scenes_right"] == scores["questions"]["all"] == 0
    assert scores["descriptions"]["failures"]["fragment"] == 1
    assert scores == evaluate_scenes(model, processor, scenes=4, seed=1, batch_size=4)

    page = io.StringIO()
    print_scores(scores, Console(file=page, width=100))
    assert "4 held-out scenes, seed 1" in page.getvalue()
    assert "scenes described wholly right" in page.getvalue()


def test_a_model_with_tasks_is_measured_on_scenes_with_boxes(tiny_v2_checkpoint):
    """It follows from what was saved with it, not from a name."""
    model = AutoModelForImageTextToText.from_pretrained(tiny_v2_checkpoint).eval()
    processor = AutoProcessor.from_pretrained(tiny_v2_checkpoint)
    model.generation_config.eos_token_id = list(range(len(processor.tokenizer)))  # it never ends by itself
    asked: list[str] = []
    model.register_forward_pre_hook(
        lambda module, args, inputs: asked.extend(processor.tokenizer.batch_decode(inputs["input_ids"])),
        with_kwargs=True,
    )
    scores = evaluate_scenes(model, processor, scenes=3, seed=1, batch_size=2)
    assert scores == json.loads(json.dumps(scores))
    assert (scores["scenes"], scores["seed"], scores["identifiers"]) == (3, 1, True)
    assert set(scores["tasks"]) == set(TASKS)
    assert scores["tasks"]["refer"] == {"right": 0, "mean_iou": 0}
    assert [sum(f"[{task}] " in text for text in asked) for task in TASKS] == [3] * len(TASKS)

    asked.clear()
    without = evaluate_scenes(model, processor, scenes=3, seed=1, batch_size=2, identifiers=False)
    assert not any(f"[{task}]" in text for text in asked for task in TASKS)
    assert not without["identifiers"]
    pages = {}
    for scored in (scores, without):
        page = io.StringIO()
        print_scores(scored, Console(file=page, width=120))
        pages[scored["identifiers"]] = page.getvalue()
    assert "3 held-out scenes, seed 1, without identifiers" in pages[False]
    assert "[refer] mean IoU" in pages[False]
    assert "Form of the answers" in pages[False]
    assert "Form of the answers" not in pages[True]


def test_identifiers_that_are_not_there_cannot_be_left_out(tiny_checkpoint):
    processor = AutoProcessor.from_pretrained(tiny_checkpoint)
    with pytest.raises(ValueError, match="saved without task identifiers"):
        evaluate_scenes(None, processor, identifiers=False)
