"""Cards: valid for the Hub, made of what is known, and with a snippet that runs."""

import json
import re
import shutil
from pathlib import Path

import yaml
from datasets import Dataset
from huggingface_hub import DatasetCard, ModelCard, SpaceCard
from PIL import Image
from transformers import AutoModelForImageTextToText

from minigpt4 import nano_path
from minigpt4.cli import run
from minigpt4.hub_cards.card import CARD, Result, Training, add_results, model_card
from minigpt4.hub_cards.dataset_card import dataset_card


RESULTS = [
    Result("drawn scenes", "facts right, per cent", 99.5, "minigpt4 evaluate scenes"),
    Result("drawn scenes", "objects found, per cent", 98.0, "minigpt4 evaluate scenes", metric="recall"),
]


def reread(card) -> ModelCard:
    """As the Hub reads it: the metadata between the first two lines of dashes."""
    _, metadata, _ = str(card).split("---\n", 2)
    assert isinstance(yaml.safe_load(metadata), dict)
    return type(card)(str(card))


def test_everything_that_is_known_is_there(tiny_checkpoint):
    parts = [("vision tower", "eva.pth", "MIT"), ("language model", "llama", "LLaMA 2 Community License")]
    training = Training(
        272, 9000, modules=["projection"], settings={"steps": 5}, recipe="stage2", data=["me/set", "photos"]
    )
    card = reread(
        model_card(
            tiny_checkpoint,
            title="Mine",
            family="vicuna",
            parts=parts,
            training=training,
            base="me/base",
            results=RESULTS,
            license="llama2",
        )
    )
    data = card.data
    assert (data.pipeline_tag, data.library_name, data.license) == ("image-text-to-text", "transformers", "llama2")
    assert (data.base_model, data.datasets, data.metrics) == ("me/base", ["me/set"], ["accuracy", "recall"])
    assert [(result.metric_name, result.metric_value) for result in data.eval_results] == [
        (result.name, result.value) for result in RESULTS
    ]
    assert card.text.lstrip().startswith("# Mine\n")
    for line in (
        "| vision tower | `eva.pth` | MIT |",
        "| projection | linear, 16 → 16 | 272 |",
        "272 parameters learned (projection); 9,000 were frozen.",
        "Data: `me/set`, `photos`.",
        "Recipe: `stage2` (`minigpt4 train stage2`).",
        "| steps | 5 |",
        "| drawn scenes | facts right, per cent | 99.5 | `minigpt4 evaluate scenes` |",
        "## Limits",
        "## Safety",
    ):
        assert line in card.text, line


def test_the_architecture_adds_up_to_the_model(tiny_checkpoint):
    card = model_card(tiny_checkpoint)
    counts = re.findall(r"^\| [^|]+ \| [^|]+ \| ([\d,]+) \|$", card.text, flags=re.MULTILINE)
    model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
    assert sum(int(count.replace(",", "")) for count in counts) == model.num_parameters()


def test_what_is_not_known_is_not_there(tiny_checkpoint):
    card = reread(model_card(tiny_checkpoint))
    assert set(card.data.to_dict()) == {"language", "library_name", "pipeline_tag", "tags"}
    assert "None" not in str(card)
    headings = re.findall(r"^## (.+)$", card.text, flags=re.MULTILINE)
    assert headings == ["Architecture", "Limits", "Safety"]


def test_a_base_in_a_folder_hands_on_licence_and_parts_but_not_its_place(tiny_checkpoint, tmp_path):
    base = shutil.copytree(tiny_checkpoint, tmp_path / "base")
    parts = [("language model", "llama", "LLaMA 2 Community License")]
    model_card(base, parts=parts, license="other", license_name="several").save(base / CARD)
    card = reread(model_card(tiny_checkpoint, base=str(base)))
    assert (card.data.license, card.data.license_name, card.data.base_model) == ("other", "several", None)
    assert "| language model | `llama` | LLaMA 2 Community License |" in card.text
    assert str(tmp_path) not in str(card)


def test_results_take_the_place_of_older_ones(tiny_checkpoint):
    card = model_card(tiny_checkpoint, results=RESULTS)
    again = reread(add_results(card, [Result("photographs", "accuracy", 12.5, "minigpt4 evaluate photographs")]))
    assert again.text.count("## Results") == 1
    assert "drawn scenes" not in str(again)
    assert [result.metric_value for result in again.data.eval_results] == [12.5]
    assert again.text.index("## Results") < again.text.index("## Limits") < again.text.index("## Safety")


def test_the_snippet_runs(tiny_checkpoint, picture, capsys):
    [code] = re.findall(r"```python\n(.*?)```", model_card(tiny_checkpoint).text, flags=re.DOTALL)
    for name, here in (("PATH_OR_ID", tiny_checkpoint), ("picture.png", picture)):
        assert name in code
        code = code.replace(name, str(here))
    exec(compile(code, CARD, "exec"), {})
    assert capsys.readouterr().out


def test_nano_s_card_says_what_was_measured():
    card = ModelCard.load(nano_path() / CARD)
    for result in card.data.eval_results:
        name = result.metric_name.removesuffix(", per cent")
        assert re.search(
            rf"^\| {re.escape(name)} \| [\d.]+ \| {result.metric_value} \|$", card.text, flags=re.MULTILINE
        )
    assert len(card.data.eval_results) == 9


def test_a_set_for_stage_2():
    steps = {"described": 5000, "mended": 4800, "checked by a person": 3500}
    card = reread(
        dataset_card(
            3500, steps=steps, sources=[("pictures", "cc", "CC-BY")], mended=True, reviewed=True, license="other"
        )
    )
    assert isinstance(card, DatasetCard)
    assert (card.data.size_categories, card.data.task_categories) == ("1K<n<10K", ["image-text-to-text"])
    assert "| mended | 4,800 |" in card.text
    assert "| pictures | `cc` | CC-BY |" in card.text
    assert "no person" not in card.text
    bare = dataset_card(20)
    assert "no person" in " ".join(bare.text.split())
    assert "None" not in str(bare)
    assert "How it was made" not in bare.text


def test_the_snippet_of_a_set_runs(tmp_path, capsys):
    rows = [{"image": Image.new("RGB", (40, 30), "red"), "text": "A red picture."}] * 3
    (tmp_path / "set").mkdir()
    Dataset.from_list(rows).to_parquet(tmp_path / "set" / "train.parquet")
    card = dataset_card(3)
    card.save(tmp_path / "set" / CARD)
    [code] = re.findall(r"```python\n(.*?)```", card.text, flags=re.DOTALL)
    exec(compile(code.replace("PATH_OR_ID", str(tmp_path / "set")), CARD, "exec"), {})
    assert capsys.readouterr().out == "A red picture.\n"


def test_the_space_s_card():
    folder = Path(nano_path()).parent / "space"
    card = SpaceCard.load(folder / CARD)
    assert card.data.sdk == "gradio"
    assert (folder / card.data.app_file).is_file()


def test_measured_scores_reach_the_card(hub, tiny_checkpoint, tmp_path, capfd):
    assert run(["evaluate", "scenes", "--model", str(tiny_checkpoint), "--scenes", "1", "--json"]) == 0
    scores = capfd.readouterr().out
    (tmp_path / "scores.json").write_text(scores)
    assert run(["push", str(tiny_checkpoint), "model", "--results", str(tmp_path / "scores.json")]) == 0
    card = ModelCard(hub.repos["models/somebody/model"].files[CARD].decode())
    found = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert found["facts right, per cent"] == round(100 * json.loads(scores)["descriptions"]["facts"], 1)
    assert "`minigpt4 evaluate scenes --scenes 1 --seed 0`" in card.text


def test_a_file_without_scores_is_refused(tiny_checkpoint, tmp_path, capfd):
    (tmp_path / "scores.json").write_text(json.dumps({"some": "thing"}))
    assert run(["push", str(tiny_checkpoint), "model", "--results", str(tmp_path / "scores.json")]) == 1
    assert "scores.json is not what minigpt4 evaluate wrote" in capfd.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run(["push", str(tiny_checkpoint), "model", "--results", str(tmp_path / "empty")]) == 1
    assert "empty has no results" in capfd.readouterr().err


def test_scores_on_tasks_reach_the_card(hub, tiny_checkpoint, tmp_path):
    """From a folder of results, with what a reader of the figures must know."""
    okvqa = {
        "task": "okvqa",
        "title": "OK-VQA, test: VQA accuracy",
        "measure": "accuracy",
        "value": 41.0421,
        "interval": [38.04, 44.01],
        "n": 100,
        "of": 5046,
        "failed": 1,
        "unparsable": None,
        "unjudged": 0,
        "published_scoring": True,
        "lower_is_better": False,
        "notes": [],
        "samples": [],
    }
    chair = {**okvqa, "task": "chair-long", "title": "Hallucination", "measure": "chair_i", "value": 9.6, "of": 100}
    chair |= {"published_scoring": False, "lower_is_better": True, "notes": ["a note"], "failed": 0}
    waiting = {**okvqa, "task": "advanced", "n": 25, "of": 25, "unjudged": 25}
    for result in (okvqa, chair, waiting):
        (tmp_path / f"{result['task']}.json").write_text(json.dumps(result))
    assert run(["push", str(tiny_checkpoint), "model", "--results", str(tmp_path)]) == 0
    card = ModelCard(hub.repos["models/somebody/model"].files[CARD].decode())
    assert [
        (one.dataset_type, one.dataset_name, one.metric_type, one.metric_name, one.metric_value)
        for one in card.data.eval_results
    ] == [
        ("hallucination", "Hallucination", "chair_i", "chair_i", 9.6),
        ("ok_vqa_test", "OK-VQA, test", "accuracy", "VQA accuracy", 41.04),
    ]
    rows = [line for line in card.text.splitlines() if "`minigpt4 evaluate" in line]
    assert rows == [
        "| Hallucination | chair_i (95 %: 38.0 to 44.0, n = 100, lower is better, a note) | 9.6 | "
        "`minigpt4 evaluate chair-long` |",
        "| OK-VQA, test | VQA accuracy (95 %: 38.0 to 44.0, n = 100 of 5,046 (part), 1 failed, scored as published) | "
        "41.04 | `minigpt4 evaluate okvqa --published-scoring --limit 100` |",
    ]
