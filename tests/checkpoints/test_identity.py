"""What a folder is: whole, adapter, what learned alone, unfinished, or nothing of ours; each error is one of a kind."""

import json
import shutil
from pathlib import Path

import pytest
from peft import get_peft_model
from peft.utils.constants import DUMMY_TARGET_MODULES
from transformers import AutoModelForImageTextToText, utils

from minigpt4.checkpoints import identity
from minigpt4.checkpoints.identity import CheckpointError, identify, is_adapter
from minigpt4.checkpoints.learned import learned_modules, save_learned
from minigpt4.checkpoints.loading import load
from minigpt4.modeling_minigpt4.adapters_minigpt4 import describe_base
from minigpt4.training import lora_config
from minigpt4.training.masks import apply_mask


@pytest.fixture(scope="module")
def folders(tiny_checkpoint, tmp_path_factory) -> dict[str, Path]:
    """One folder of each kind, made as it is made."""
    place = tmp_path_factory.mktemp("kinds")
    model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
    apply_mask(model, "projector")
    (place / "learned").mkdir()
    save_learned(place / "learned", model, learned_modules(model), describe_base(str(tiny_checkpoint)))
    get_peft_model(model, lora_config(r=2)).save_pretrained(place / "adapter")
    shutil.copytree(tiny_checkpoint, place / "beside")
    for file in (place / "adapter").glob("adapter_*"):
        shutil.copy(file, place / "beside")
    return {"whole": tiny_checkpoint, **{path.name: path for path in place.iterdir()}}


@pytest.mark.parametrize("kind", ["whole", "adapter", "learned"])
def test_each_kind(folders, kind, tiny_checkpoint):
    found = identify(folders[kind])
    assert (found.kind, found.name) == (kind, str(folders[kind]))
    assert found.base.name == str(tiny_checkpoint)
    assert found.base.kind == "whole"
    assert found.base.read_config().image_token_id is not None
    assert is_adapter(folders[kind]) == (kind != "whole")
    model, _ = load(folders[kind])
    assert model.name_or_path == str(tiny_checkpoint)


def test_a_whole_model_with_a_lora_beside_it(folders):
    found = identify(folders["beside"])
    assert (found.kind, found.base, found.adapter["r"]) == ("whole", found, 2)
    assert not is_adapter(folders["beside"])


@pytest.mark.parametrize("kind", ["adapter", "learned"])
def test_what_needs_a_base_is_not_whole(folders, kind):
    with pytest.raises(CheckpointError, match=f"{kind} holds only the trained weights: merge it first"):
        identify(folders[kind]).require_whole("merge it first")


def broken(how: str, folders: dict[str, Path], place: Path) -> Path:
    made = Path(shutil.copytree(folders["adapter" if "adapter" in how else "whole"], place / "made"))
    config = made / ("adapter_config.json" if "adapter" in how else "config.json")
    match how:
        case "nothing there":
            return place / "nowhere"
        case "a file":
            return config
        case "an empty folder" | "a run without an end":
            shutil.rmtree(made)
            (made / ("checkpoint-4" if "run" in how else "")).mkdir(parents=True)
        case "not JSON" | "an adapter that is not JSON":
            config.write_text("{")
        case "a list":
            config.write_text("[1]")
        case "another model":
            config.write_text(json.dumps({"model_type": "llava"}))
        case "no weights" | "an adapter without weights":
            next(made.glob("*model.safetensors")).unlink()
        case "what a killed conversion leaves":
            return made.rename(place / "made.unfinished")
        case "what a killed run leaves":
            return made.rename(place / ".saving")
        case "an adapter without a name" | "an adapter of nothing" | "an adapter of an adapter":
            base = {"nothing": str(place / "no-base"), "adapter": str(folders["learned"])}.get(how.split()[-1])
            config.write_text(json.dumps(json.loads(config.read_text()) | {"base_model_name_or_path": base}))
    return made


@pytest.mark.parametrize(
    ("how", "said"),
    {
        "nothing there": "nowhere: no such folder",
        "a file": "config.json is a file; give the folder",
        "an empty folder": "it has no config.json",
        "a run without an end": "made is unfinished: it has no config.json, only checkpoints such as .*checkpoint-4",
        "not JSON": "made/config.json cannot be read",
        "a list": "made/config.json holds a list",
        "another model": "its model_type is 'llava'",
        "no weights": "made is unfinished: it has config.json but no model.safetensors",
        "what a killed conversion leaves": "made.unfinished is unfinished",
        "what a killed run leaves": ".saving is unfinished",
        "an adapter that is not JSON": "made/adapter_config.json cannot be read",
        "an adapter without weights": "has adapter_config.json but no adapter_model.safetensors",
        "an adapter without a name": "cannot load the adapter .*made without its model: .*base_model_name_or_path",
        "an adapter of nothing": "cannot load the adapter .*made without its model: .*no-base: no such folder",
        "an adapter of an adapter": "cannot load the adapter .*made without its model: .*learned holds only",
    }.items(),
)
def test_everything_else_is_told_with_one_kind_of_error(folders, tmp_path, how, said):
    with pytest.raises(CheckpointError, match=said) as error:
        _ = identify(broken(how, folders, tmp_path)).base
    assert "\n" not in str(error.value)
    assert isinstance(error.value, ValueError)  # as callers of before expect
    assert isinstance(error.value, FileNotFoundError)


def test_names_of_other_libraries_are_theirs():
    """Written down here, since importing those libraries takes seconds."""
    assert (identity.CONFIG_NAME, identity.ADAPTER_CONFIG_NAME) == (utils.CONFIG_NAME, utils.ADAPTER_CONFIG_NAME)
    assert identity.NO_LORA == DUMMY_TARGET_MODULES
