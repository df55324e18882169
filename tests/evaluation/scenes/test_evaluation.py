import io
import json

from rich.console import Console
from transformers import AutoModelForImageTextToText, AutoProcessor

from minigpt4.evaluation.scenes import evaluate_scenes, print_scores
from minigpt4.evaluation.scenes.wording import QUESTION_KINDS


def test_an_untrained_model_scores_nothing(tiny_checkpoint, capsys):
    model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint).eval()
    processor = AutoProcessor.from_pretrained(tiny_checkpoint)
    scores = evaluate_scenes(model, processor, scenes=4, seed=1, batch_size=3)
    assert scores == json.loads(json.dumps(scores))
    assert (scores["scenes"], scores["seed"]) == (4, 1)
    assert set(scores["questions"]["by_kind"]) == set(QUESTION_KINDS)
    assert scores["descriptions"]["scenes_right"] == scores["questions"]["all"] == 0
    assert scores["descriptions"]["failures"]["fragment"] == 1
    assert scores == evaluate_scenes(model, processor, scenes=4, seed=1, batch_size=4)
    assert "descriptions" in capsys.readouterr().err  # the progress bar

    page = io.StringIO()
    print_scores(scores, Console(file=page, width=100))
    assert "4 held-out scenes, seed 1" in page.getvalue()
    assert "scenes described wholly right" in page.getvalue()
