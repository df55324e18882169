"""`minigpt4 merge`: what was learned and its base become one model."""

import pytest
import torch
from peft import get_peft_model
from transformers import AutoModelForImageTextToText, AutoProcessor

from minigpt4.checkpoints.identity import identify
from minigpt4.checkpoints.learned import learned_modules, save_learned
from minigpt4.loading import load
from minigpt4.modeling_minigpt4.adapters_minigpt4 import describe_base
from minigpt4.training import lora_config
from minigpt4.training.masks import apply_mask


@pytest.fixture(params=["learned", "lora"])
def trained(request, tiny_checkpoint, tmp_path):
    """What a run leaves of each kind, with weights that differ from the base's."""
    model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
    folder = tmp_path / "run"
    folder.mkdir()
    torch.manual_seed(0)
    if request.param == "lora":
        model = get_peft_model(model, lora_config(r=2))
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter)
        model.save_pretrained(folder)
    else:
        apply_mask(model, "projector")
        torch.nn.init.normal_(model.model.multi_modal_projector.weight.data)
        save_learned(folder, model, learned_modules(model), describe_base(str(tiny_checkpoint)))
    AutoProcessor.from_pretrained(tiny_checkpoint).save_pretrained(folder)
    return folder


def test_the_merged_model_answers_as_the_run_without_its_base(command, trained, tiny_checkpoint, picture, tmp_path):
    merged = tmp_path / "merged"
    result = command("merge", trained, "--output", merged)
    assert (result.code, result.out) == (0, "")
    assert result.err.splitlines()[-1] == f"The model is in {merged}: minigpt4 chat --model {merged}"
    assert identify(merged).kind == "whole"
    assert (merged / "README.md").is_file()
    question = ("describe", picture, "--max-new-tokens", 5, "--model")
    assert command(*question, merged).out == command(*question, trained).out
    state, base = (load(folder)[0].state_dict() for folder in (merged, tiny_checkpoint))
    assert state.keys() == base.keys()
    assert any(not torch.equal(state[name], base[name]) for name in base)


@pytest.mark.parametrize(
    ("run", "output", "said"),
    [
        ("nowhere", "new", "nowhere: no such folder"),
        ("{whole}", "new", "is a whole model already: there is nothing to merge"),
        ("{empty}", "new", "is not a checkpoint: it has no config.json"),
    ],
)
def test_what_cannot_be_merged(command, tiny_checkpoint, tmp_path, run, output, said):
    (tmp_path / "empty").mkdir()
    run = run.format(whole=tiny_checkpoint, empty=tmp_path / "empty")
    result = command("merge", run, "--output", tmp_path / output)
    assert result.code == 1
    assert said in result.err
    assert not (tmp_path / output).exists()


def test_an_output_that_exists_is_left_alone(command, trained, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").touch()
    result = command("merge", trained, "--output", tmp_path / "there")
    assert "exists already" in result.err
    assert [file.name for file in (tmp_path / "there").iterdir()] == ["mine"]
