"""A checkpoint that is not whole is refused before training, and the one to go on from is named."""

import shutil
from pathlib import Path

import pytest
from transformers import AutoModelForImageTextToText

from minigpt4.training.run import run
from minigpt4.training.trainer.damage import find_damage


SAVED = {"max_steps": 2, "save_strategy": "steps", "save_steps": 1}
DAMAGES = {
    "missing": Path.unlink,
    "empty": lambda file: file.write_bytes(b""),
    "cut short or damaged": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("name", ["own-folder", "lora"])
def test_every_file_that_a_run_goes_on_from(recipe, name):
    output = run(recipe(name, **SAVED))
    whole = contents(output)
    files = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "adapter_model.safetensors")
    for file in (*files, "adapter_config.json"):
        for damage, do in DAMAGES.items():
            do(output / "checkpoint-2" / file)
            before = contents(output)
            with pytest.raises(
                ValueError,
                match=rf"checkpoint-2 is incomplete or damaged: {file} is {damage}.* Delete checkpoint-2: --resume then continues from "
                r"checkpoint-1, the newest complete one\.$",
            ):
                run(recipe(name, **SAVED), resume=True)
            assert contents(output) == before
            (output / "checkpoint-2" / file).write_bytes(whole[f"checkpoint-2/{file}"])
    shutil.rmtree(output / "checkpoint-2")  # as it says
    run(recipe(name, **SAVED), resume=True)
    weights = "checkpoint-2/adapter_model.safetensors"
    assert contents(output)[weights] == whole[weights]


def test_of_all_checkpoints_the_newest_whole_one(recipe):
    output = run(recipe(**{**SAVED, "max_steps": 4}))
    (output / "checkpoint-4" / "optimizer.pt").unlink()
    (output / "checkpoint-3" / "scheduler.pt").write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"optimizer\.pt .*Delete checkpoint-4 and checkpoint-3: .* from checkpoint-2,"
    ):
        run(recipe(**SAVED), resume=True)
    for number in (1, 2):
        (output / f"checkpoint-{number}" / "rng_state.pth").unlink()
    with pytest.raises(
        ValueError, match=r"No other checkpoint in .*run is complete: start again in another output_dir\.$"
    ):
        run(recipe(**SAVED), resume=True)


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_mixtures_write(recipe, write_shards, damage):
    settings = {**SAVED, "data": write_shards("some"), "bf16": False}
    output = run(recipe("stage1", **settings))
    DAMAGES[damage](output / "checkpoint-2" / "data_state_0.pt")
    with pytest.raises(ValueError, match=rf"data_state_0\.pt is {damage}.* continues from checkpoint-1"):
        run(recipe("stage1", **settings), resume=True)


def test_whole_models_and_their_pieces(recipe, model):
    checkpoint = run(recipe(**SAVED, save="full")) / "checkpoint-2"
    assert find_damage(checkpoint) is None
    (checkpoint / "model.safetensors").unlink()
    assert find_damage(checkpoint) == "model.safetensors is missing"
    AutoModelForImageTextToText.from_pretrained(checkpoint.parent).save_pretrained(checkpoint, max_shard_size="20KB")
    assert find_damage(checkpoint) is None
    first, second, *_ = sorted(checkpoint.glob("model-*"))
    first.write_bytes(first.read_bytes()[:-1])
    assert find_damage(checkpoint) == f"{first.name} is cut short or damaged"
    second.unlink()
    assert find_damage(checkpoint) == f"{second.name} is missing"
    (checkpoint / "model.safetensors.index.json").unlink()
    assert find_damage(checkpoint) == "model.safetensors.index.json is missing"


def test_a_changed_byte_of_what_pytorch_wrote(recipe):
    """`torch.load` takes it as it is."""
    file = run(recipe(**SAVED)) / "checkpoint-2" / "optimizer.pt"
    content = file.read_bytes()
    file.write_bytes(
        content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]
    )
    assert find_damage(file.parent) == "optimizer.pt is cut short or damaged"
