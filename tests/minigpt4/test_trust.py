"""Code that a checkpoint brings along runs with --trust-remote-code, and else not, whatever stands on stdin."""

import json
import shutil
from pathlib import Path

import pytest
from peft import get_peft_model
from transformers import AutoModelForImageTextToText, AutoTokenizer

from minigpt4.training import lora_config


# Runs commands one after the other in one process, with everything on stdin that transformers takes for a yes.
DRIVER = """
import contextlib, io, json, os, sys
from pathlib import Path
from minigpt4.cli import run
marker, cases, found = Path(sys.argv[1]), json.loads(sys.argv[2]), {}
for name, arguments in cases.items():
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    found[name] = [code, out.getvalue(), err.getvalue(), marker.exists()]
    marker.unlink(missing_ok=True)
Path(sys.argv[3]).write_text(json.dumps(found))
"""
CODE = """
from pathlib import Path
Path({marker!r}).touch()
from transformers import PreTrainedTokenizerFast
from minigpt4 import MiniGPT4ImageProcessorPil, MiniGPT4Processor
class Tokenizer(PreTrainedTokenizerFast): pass
class ImageProcessor(MiniGPT4ImageProcessorPil): pass
class Processor(MiniGPT4Processor): pass
"""


@pytest.fixture(scope="module")
def strangers(tiny_checkpoint, tmp_path_factory):
    """Checkpoints that need code of their own for one part each, and where that code leaves a mark."""
    place = tmp_path_factory.mktemp("strangers")

    def change(folder: Path, file: str, edit) -> None:
        content = json.loads((folder / file).read_text())
        edit(content)
        (folder / file).write_text(json.dumps(content))

    def tokenizer(folder: Path) -> None:
        named = {"tokenizer_class": "Tokenizer", "auto_map": {"AutoTokenizer": [None, "code.Tokenizer"]}}
        change(folder, "tokenizer_config.json", lambda content: content.update(named))

    def processor(folder: Path) -> None:
        named = {"processor_class": "Processor", "auto_map": {"AutoProcessor": "code.Processor"}}
        change(folder, "processor_config.json", lambda content: content.update(named))

    def image_processor(folder: Path) -> None:
        named = {"image_processor_type": "ImageProcessor", "auto_map": {"AutoImageProcessor": "code.ImageProcessor"}}
        change(folder, "processor_config.json", lambda content: content["image_processor"].update(named))

    def forgotten(folder: Path) -> None:
        """A tokenizer on the one way on which transformers loses `trust_remote_code=False`."""
        tokenizer(folder)
        for file in ("processor_config.json", "tokenizer_config.json"):
            change(folder, file, lambda content: content.pop("processor_class", None))

    for part in (tokenizer, processor, image_processor, forgotten):
        folder = Path(shutil.copytree(tiny_checkpoint, place / part.__name__))
        (folder / "code.py").write_text(CODE.format(marker=str(place / "marker")))
        part(folder)
    model = get_peft_model(AutoModelForImageTextToText.from_pretrained(tiny_checkpoint), lora_config(r=2))
    model.save_pretrained(place / "adapter")
    base = {"base_model_name_or_path": str(place / "tokenizer")}
    change(place / "adapter", "adapter_config.json", lambda content: content.update(base))
    return place


@pytest.fixture
def run_all(fresh, tmp_path, strangers):
    def run_cases(cases: dict) -> dict:
        cases = {name: [str(argument) for argument in arguments] for name, arguments in cases.items()}
        found = tmp_path / "found.json"
        done = fresh(DRIVER, strangers / "marker", json.dumps(cases), found, cwd=tmp_path, input="y\n" * 100)
        assert done.returncode == 0, done.stderr
        return json.loads(found.read_text())

    return run_cases


def verbs(model: Path, picture: Path, output: Path) -> dict:
    """Every command that loads a checkpoint; those that would go on for long have something wrong for later."""
    recipe = ["stage2", "--set", f"model_name_or_path={model}", "--set", "data=scene-captions", "--set", "data_rows=2"]
    recipe += ["--set", f"output_dir={output / 'run'}", "--set", "max_steps=1"]
    return {
        "describe": ["describe", picture, "--model", model],
        "describe several": ["describe", picture, picture, "--model", model],
        "chat": ["chat", "--model", model],
        "app": ["app", "--model", model],
        "serve": ["serve", "--model", model, "--no-such-option"],
        "evaluate": ["evaluate", "scenes", "--scenes", "1", "--model", model],
        "train": ["train", *recipe],
        "train --show": ["train", *recipe, "--show", "1"],
        "cache-features": ["cache-features", *recipe, "--set", f"features={output / 'features'}"],
        "data check": ["data", "check", *recipe],
        "push": ["push", model, "somebody/something", "--dry-run"],
    }


def test_without_a_word_no_command_runs_it_or_asks(strangers, picture, tmp_path, run_all):
    tokenizer = strangers / "tokenizer"
    cases = verbs(tokenizer, picture, tmp_path)
    # The other parts where a processor is loaded: in the three places that load one.
    for part in ("processor", "image_processor", "forgotten"):
        others = verbs(strangers / part, picture, tmp_path)
        cases |= {f"{verb}: {part}": others[verb] for verb in ("describe", "train --show", "push", "serve")}
    cases |= {
        "describe: adapter": ["describe", picture, "--model", strangers / "adapter"],
        "push: adapter": ["push", strangers / "adapter", "somebody/something", "--dry-run"],
    }
    for name, (code, out, err, ran) in run_all(cases).items():
        part = name.partition(": ")[2]
        named = strangers / (part if part and part != "adapter" else "tokenizer")
        file = "processor_config.json" if part in ("processor", "image_processor") else "tokenizer_config.json"
        assert not ran, name
        assert (code, out) == (1, ""), (name, out, err)
        err = err.removeprefix(f"Loading {named}\n")  # the page says so at once
        assert err.startswith(f"minigpt4: {named / file} names code of its own, 'code."), (name, err)
        assert "--trust-remote-code" in err, name
        assert err.count("\n") == 1, (name, err)


def test_with_the_option_it_loads_as_in_transformers(strangers, picture, tmp_path, run_all, tiny_checkpoint, command):
    cases = {
        part: [*verbs(strangers / part, picture, tmp_path)[verb], "--trust-remote-code"]
        for part, verb in {"tokenizer": "describe", "processor": "train --show", "image_processor": "push"}.items()
    }
    serve = ["serve", "--model", strangers / "tokenizer", "--trust-remote-code", "--no-such-option"]
    found = run_all(cases | {"serve": serve})
    assert [found[part][0] for part in cases] == [0, 0, 0], found
    assert all(found[part][3] for part in cases), found
    assert found["serve"][0] == 2  # by what comes after loading
    assert found["tokenizer"][1] == command("describe", picture, "--model", tiny_checkpoint).out
    assert "code.py" in found["image_processor"][1]  # what is needed is pushed


def test_our_own_copy_in_a_folder_does_not_run(tiny_checkpoint, picture, tmp_path, strangers, run_all):
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / "saved"))
    copies = [*folder.glob("*_minigpt4.py")]
    assert len(copies) > 3
    for copy in copies:
        copy.write_text(f"open({str(strangers / 'marker')!r}, 'w')\n" + copy.read_text())
    cases = {name: verbs(folder, picture, tmp_path)[name] for name in ("describe", "train --show", "push")}
    cases["trusted"] = [*cases["describe"], "--trust-remote-code"]
    for name, (code, _, err, ran) in run_all(cases).items():
        assert (code, ran) == (0, False), (name, err)


def test_a_recipe_cannot_say_it(command, tmp_path):
    (tmp_path / "mine.yaml").write_text("trust_remote_code: true\n")
    result = command("train", tmp_path / "mine.yaml", "--show", "1")
    assert result.code == 1
    assert f"{tmp_path / 'mine.yaml'} sets trust_remote_code" in result.err


def test_language_models_are_taken_without_their_code(command, tiny_checkpoint, strangers, tmp_path):
    folder = tmp_path / "language-model"
    AutoTokenizer.from_pretrained(tiny_checkpoint).save_pretrained(folder)
    text_config = json.loads((tiny_checkpoint / "config.json").read_text())["text_config"]
    (folder / "config.json").write_text(json.dumps(text_config))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    named = {"tokenizer_class": "Tokenizer", "auto_map": {"AutoTokenizer": [None, "code.Tokenizer"]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | named))
    verb = ["assemble", "llama2", "--vision", folder, "--language-model", folder, "--output", tmp_path / "made"]
    result = command(*verb)
    assert (result.code, result.out) == (1, "")
    assert f"{folder / 'tokenizer_config.json'} names code of its own, 'code.Tokenizer'" in result.err
    (folder / "config.json").write_text(json.dumps({"model_type": "x", "auto_map": {"AutoConfig": "code.Config"}}))
    assert f"{folder / 'config.json'} names code of its own, 'code.Config'" in command(*verb).err
