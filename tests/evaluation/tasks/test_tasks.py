"""Each task: its files, its prompt as published, and a run over its synthetic copy through the command line."""

import json
import shutil

import pytest
from helpers.evaluation_sets import PICTURES, ROWS, write_picture, write_sets
from helpers.loopback_endpoint import LoopbackEndpoint
from transformers import AutoProcessor

from minigpt4.checkpoints.loading import load_any
from minigpt4.evaluation.running import read_results
from minigpt4.evaluation.tasks import all_tasks, find_tasks
from minigpt4.inference.asking import Asker
from minigpt4.processing.tasks import TASKS as WORDINGS
from minigpt4.processing.templates import chat_template


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    return write_sets(tmp_path_factory.mktemp("sets"))


# Samples of the synthetic copies.
SIZES = {
    "okvqa": ROWS,
    "vizwiz": PICTURES,
    "gqa": ROWS,
    "vsr": ROWS,
    "iconqa": PICTURES,
    "aokvqa": PICTURES,
    "hm": PICTURES,
    **{f"{name}-{split}": ROWS for name in ("refcoco", "refcoco+") for split in ("val", "testA", "testB")},
    **{f"refcocog-{split}": ROWS for split in ("val", "test")},
    "chair-short": PICTURES,
    "chair-long": PICTURES,
    "coco-coverage": PICTURES,
    "failure-description": 2 * PICTURES,
    "failure-poem": 2 * PICTURES,
    "detection": PICTURES,
    "identify": PICTURES,
    "advanced": 2,
    "scenes-descriptions": 2,
    "scenes-questions": 8,
    **{f"boxed-{name}": 2 for name in WORDINGS},
}


@pytest.fixture(autouse=True)
def few_scenes(monkeypatch):
    for name in ("scenes", "boxed_scenes"):
        monkeypatch.setattr(f"minigpt4.evaluation.tasks.{name}.SCENES", 2)


def test_every_task_runs_through_the_command_line(command, sets, tiny_checkpoint, tmp_path):
    names = [name for name, task in all_tasks().items() if not task.judged]
    arguments = ("--model", tiny_checkpoint, "--data", sets, "--output", tmp_path, "--batch-size", 32, "--json")
    made = command("evaluate", *names, *arguments)
    assert made.code == 0, made.err
    results = json.loads(made.out)
    sizes = {name: result["n"] for name, result in results.items()}
    assert sizes == {name: size for name, size in SIZES.items() if name != "coco-coverage"}
    for name, result in results.items():
        assert not result["partial"]
        assert result["failed"] == 0
        low, high = result["interval"]
        assert low <= result["value"] <= high, name
        assert (tmp_path / f"{name}.json").is_file()
    assert results["chair-long"]["figures"]["mean_words"] > 0
    assert 0 <= results["hm"]["figures"]["auroc"] <= 1
    assert (results["advanced"]["unjudged"], results["advanced"]["figures"]["raters"]) == (2, 0)
    page = (tmp_path / "report.html").read_text()
    assert all(result["title"] in page for result in results.values())
    # Once more: nothing is asked again.
    lines = {file: file.read_text() for file in tmp_path.glob("*.jsonl")}
    again = command("evaluate", *names, *arguments)
    assert json.loads(again.out) == results
    assert {file: file.read_text() for file in tmp_path.glob("*.jsonl")} == lines


def test_coverage_is_judged(command, sets, tiny_checkpoint, tmp_path):
    """Yes, no, and neither: of five captions of each picture, the first is covered, and one is not judged."""
    server = LoopbackEndpoint(judge)
    arguments = ("--model", tiny_checkpoint, "--data", sets, "--output", tmp_path, "--json")
    result = command("evaluate", "coco-coverage", *arguments)
    assert result.code == 1
    assert "coco-coverage is judged by a language model: name it with --judge" in result.err
    judged = command("evaluate", "coco-coverage", *arguments, "--judge", "judge", "--judge-url", server.url)
    assert judged.code == 0, judged.err
    result = json.loads(judged.out)["coco-coverage"]
    assert (result["value"], result["unjudged"], result["n"]) == (1.0, PICTURES, PICTURES)
    assert result["figures"]["coverage"] == 0.25
    assert result["settings"]["judge"] == "judge"
    asked = len(server.requests)
    assert asked == 5 * PICTURES
    [written] = read_results(tmp_path)
    assert written.samples[0]["verdicts"] == ["Yes.", "no", "no", "no", "I cannot say."]
    assert written.samples[0]["judge"] == "judge-1106"
    # The judge's replies are kept.
    again = command("evaluate", "coco-coverage", *arguments, "--judge", "judge", "--judge-url", server.url)
    assert json.loads(again.out)["coco-coverage"]["value"] == 1.0
    assert len(server.requests) == asked
    server.close()


def judge(question: str) -> str:
    number = int(question.partition("number ")[2].partition(".")[0]) // PICTURES
    return ("Yes.", "no", "no", "no", "I cannot say.")[number]


VQA = "[vqa] Based on the image, respond to this question with a short answer: "
PROMPTS = {
    "okvqa": VQA + "What is it?",
    "gqa": VQA + "What is it?",
    "iconqa": VQA + "What is it?",
    "aokvqa": VQA + "What is it?",
    "vizwiz": "[vqa] The question is 'What is it?' Based on the image, answer the question with a single word or phrase. and "
    "reply 'unanswerable' when the provided information is insufficient",
    "vsr": "[vqa] Based on the image, is this statement true or false? The cat is left of dog 0.",
    "hm": "This is an image writting 'love {} number 0'. Is this image hateful? Answer yes or no. Answer:",
    "refcoco+-testA": "[refer] give me the location of the testA thing 0",
    "detection": "[detection] cat",
    "identify": "[identify] what is this {<10><10><60><60>}",
    "chair-short": "Please describe the image shortly and precisely, in less than 20 words.",
    "chair-long": "Please describe this image as detailed as possible.",
    "failure-poem": "Can you write a beautiful poem about this image?",
    "advanced": "Explain why this meme is funny.",
}


@pytest.mark.parametrize("name", PROMPTS)
def test_prompts_are_those_published(name, sets):
    [task] = find_tasks(name)
    sample = next(iter(task.read(sets)))
    assert task.request(sample, tuple(WORDINGS)) == PROMPTS[name]
    without = task.request(sample, ())
    assert without == PROMPTS[name].partition("] ")[2] if PROMPTS[name].startswith("[") else PROMPTS[name]


def test_words_with_braces_are_words(sets):
    [task] = find_tasks("okvqa")
    sample = next(iter(task.read(sets)))
    assert task.request(sample, (), plain=True) == "Question: What is it? Short answer:"


def test_the_form_of_version_2_is_the_published_one(tiny_checkpoint, sets, tmp_path):
    """Two start tokens, and one space before the end of the request."""
    shutil.copytree(tiny_checkpoint, tmp_path / "v2")
    processor = AutoProcessor.from_pretrained(tmp_path / "v2")
    processor.chat_template = chat_template("v2")
    processor.task_identifiers = list(WORDINGS)
    processor.save_pretrained(tmp_path / "v2")
    asker = Asker(*load_any(tmp_path / "v2"))
    [task] = find_tasks("refcoco-val")
    sample = next(iter(task.read(sets)))
    from PIL import Image

    inputs = asker._inputs([task.request(sample, asker.identifiers)], [Image.open(sample.image)])
    text = "".join(processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0]))
    image = "<ImageHere>" * processor.num_image_tokens
    # A piece after a special token begins with a space of its own, as the original's tokenizer makes it.
    words = "[refer] give me the location of the val thing 0 [/INST]".replace(" ", "▁")
    assert text == f"<s><s>▁[INST]▁<Img>{image}▁</Img>▁{words}"


def test_published_figures_are_those_of_the_papers():
    """As the reference of the papers' tables lists them: of version 2, then of its chat model."""
    figures = {
        name: [one.value for one in task.published if one.model.startswith("MiniGPT-v2")]
        for name, task in all_tasks().items()
    }
    assert {name: values for name, values in figures.items() if values} == {
        "okvqa": [56.9, 55.9, 57.8],
        "gqa": [60.3, 58.8, 60.1],
        "vsr": [60.6, 63.3],
        "iconqa": [47.7, 49.4],
        "vizwiz": [30.3, 42.4, 53.6],
        "hm": [58.2, 59.5],
        "refcoco-val": [88.69, 88.06],
        "refcoco-testA": [91.65, 91.29],
        "refcoco-testB": [85.33, 84.30],
        "refcoco+-val": [79.97, 79.58],
        "refcoco+-testA": [85.12, 85.52],
        "refcoco+-testB": [74.45, 73.32],
        "refcocog-val": [84.44, 84.19],
        "refcocog-test": [84.66, 84.31],
    }
    for name in ("aokvqa", "gqa"):
        [task] = find_tasks(name)
        assert "protocol never published" in task.note


def test_groups_are_names_of_several_tasks():
    assert [task.name for task in find_tasks("refcocog", "refcocog-val", "vsr")] == [
        "refcocog-val",
        "refcocog-test",
        "vsr",
    ]
    with pytest.raises(ValueError, match=r"There is no task 'okvq': choose from .*okvqa"):
        find_tasks("okvq")


def test_what_is_not_as_published_is_named(sets, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no okvqa: docs/evaluate\.md"):
        list(find_tasks("okvqa")[0].read(tmp_path))
    shutil.copytree(sets, tmp_path / "sets")
    (tmp_path / "sets" / "vizwiz" / "val.json").write_text('[{"image": "a.jpg"}]')
    with pytest.raises(ValueError, match=r"val\.json, row 1 has no 'answers', only image"):
        list(find_tasks("vizwiz")[0].read(tmp_path / "sets"))
    (tmp_path / "sets" / "hateful_memes" / "dev.jsonl").write_text('{"img": "../../secret.png", "id": 1}')
    with pytest.raises(ValueError, match=r"dev\.jsonl, row 1 names the image '\.\./\.\./secret\.png', which leaves"):
        list(find_tasks("hm")[0].read(tmp_path / "sets"))
    write_picture(tmp_path / "sets" / "advanced" / "poems" / "one.png", 1)
    with pytest.raises(ValueError, match="poems is not one of the abilities: description, humour"):
        list(find_tasks("advanced")[0].read(tmp_path / "sets"))


def test_scenes_are_those_of_their_own_command(command, tmp_path):
    """The same pictures, questions and scores; and no files are needed."""
    arguments = ("--data", tmp_path / "none", "--output", tmp_path / "out", "--json")
    made = command("evaluate", "scenes-questions", "scenes", *arguments)
    assert made.code == 0, made.err
    results = json.loads(made.out)
    expected = json.loads(command("evaluate", "scenes", "--scenes", 2, "--json").out)
    assert results["scenes-questions"]["value"] == pytest.approx(100 * expected["questions"]["all"])
    figures = results["scenes-descriptions"]["figures"]
    assert {name: figures[name] for name in expected["descriptions"]} == expected["descriptions"]
    assert results["scenes-descriptions"]["value"] > 50


def test_twelve_abilities():
    from minigpt4.evaluation.tasks.advanced import REQUESTS

    assert len(REQUESTS) == 12


def test_every_task_is_named_in_the_help(command):
    page = command("evaluate", "--help").out
    assert {task.group or task.name for task in all_tasks().values()} - set(
        page.replace(",", " ").replace(".", " ").split()
    ) == set()
