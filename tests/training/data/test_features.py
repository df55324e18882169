"""The feature cache: the same training without the towers, and refused where it would be another one."""

import pytest
import torch
from PIL import Image
from transformers import set_seed

from minigpt4.cli import run as command
from minigpt4.training import read_recipe
from minigpt4.training.data import features
from minigpt4.training.data.features import FeatureCache, cache_features
from minigpt4.training.model import load_model, load_processor
from minigpt4.training.run import run
from minigpt4.training.trainer.stages import StageTrainer


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "features"


def losses(recipe) -> list[float]:
    set_seed(0)  # LoRA begins with random numbers, and drops out
    trainer = StageTrainer(
        load_model(recipe.model, bf16=recipe.args.bf16),
        recipe.args,
        recipe.sequence,
        processing_class=load_processor(recipe.model),
        train_dataset=features.load_train_rows(recipe.data),
    )
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.parametrize(
    ("name", "bf16"), [("stage1", False), ("own-folder", True), ("v2-stage3", True), ("ablation-no-qformer", False)]
)
def test_same_losses_and_the_towers_do_not_run(recipe, folder, monkeypatch, name, bf16):
    settings = {"bf16": bf16, "learning_rate": 1e-2, "max_steps": 3}
    expected = losses(recipe(name, **settings))
    assert len(cache_features(recipe(name, **settings, features=str(folder)))) == 4  # of the 8 pictures 4 are alike
    monkeypatch.delattr("transformers.Blip2VisionModel.forward")
    assert losses(recipe(name, **settings, features=str(folder))) == expected


def test_on_the_command_line(recipe, folder, tiny_checkpoint, own_folder, tmp_path, capsys):
    said = {"model_name_or_path": tiny_checkpoint, "data": own_folder, "features": folder, "max_steps": 1}
    settings = [word for key, value in said.items() for word in ("--set", f"{key}={value}")]
    assert command(["cache-features", "stage2", *settings]) == 0
    assert "4 images" in capsys.readouterr().err
    assert command(["train", "stage2", *settings, "--set", f"output_dir={tmp_path / 'run'}"]) == 0
    assert (tmp_path / "run" / "adapter_model.safetensors").is_file()


def test_evaluation_reads_it_too(recipe, folder, own_folder):
    settings = {"features": str(folder), "eval_data": str(own_folder), "eval_split": "train"}
    cache_features(recipe(**settings))
    assert (run(recipe(**settings, eval_strategy="steps", eval_steps=4)) / "samples.jsonl").is_file()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_is_cached_whole(recipe, folder, workers):
    assert len(cache_features(recipe(features=str(folder), streaming=True, dataloader_num_workers=workers))) == 4


def test_features_are_the_towers(recipe, folder, model, processor):
    cache = cache_features(recipe(bf16=False, features=str(folder)))
    image = Image.new("RGB", (28, 28), "red")
    pixels = processor.image_processor(image, return_tensors="pt")["pixel_values"]
    expected = model.eval().model.get_vision_features(pixels).pooler_output
    torch.testing.assert_close(cache.read([image]), expected)


def test_goes_on_where_it_was_stopped(recipe, folder, monkeypatch):
    monkeypatch.setattr(features, "SHARD_IMAGES", 2)
    save, saved = features._save_shard, []

    def stop_after_one(*args):
        if saved:
            raise KeyboardInterrupt
        saved.append(save(*args))

    monkeypatch.setattr(features, "_save_shard", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        cache_features(recipe(features=str(folder)))
    assert len(FeatureCache(folder)) == 2
    before = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    monkeypatch.setattr(features, "_save_shard", save)
    assert len(cache_features(recipe(features=str(folder)))) == 4
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_stale(recipe, folder, model, processor, tmp_path):
    cache_features(recipe(bf16=False, features=str(folder)))
    with torch.no_grad():
        model.model.vision_tower.embeddings.class_embedding += 1e-3
    model.save_pretrained(tmp_path / "other")
    processor.save_pretrained(tmp_path / "other")
    other = {"bf16": False, "features": str(folder), "model_name_or_path": str(tmp_path / "other")}
    for again in (losses, cache_features):
        with pytest.raises(ValueError, match=r"is stale: its checksum of the towers was \w+, and is \w+ now"):
            again(recipe(**other))
    with pytest.raises(ValueError, match="its precision was float32, and is bfloat16 now"):
        losses(recipe(bf16=True, features=str(folder)))


def test_other_image_settings(recipe, folder, model, processor, tmp_path):
    cache_features(recipe(features=str(folder)))
    processor.image_processor.image_mean = (0.5, 0.5, 0.5)
    model.save_pretrained(tmp_path / "other")
    processor.save_pretrained(tmp_path / "other")
    with pytest.raises(ValueError, match="checksum of the image processor's settings was"):
        losses(recipe(features=str(folder), model_name_or_path=str(tmp_path / "other")))


def test_what_the_mask_trains_is_not_cached(recipe, folder):
    for what in (cache_features, losses):
        with pytest.raises(ValueError, match=r"mask 'projector\+qformer' trains qu.*cannot be cached in"):
            what(recipe("ablation-qformer", features=str(folder)))
    assert not folder.exists()


def test_an_image_that_is_not_there(recipe, folder, own_folder):
    cache_features(recipe(features=str(folder)))
    Image.new("RGB", (28, 28), "yellow").save(own_folder / "0.png")
    with pytest.raises(ValueError, match=r"An image of 28 x 28 pixels is not among the 4 in the feature cache"):
        losses(recipe(features=str(folder), per_device_train_batch_size=8))


def test_no_folder():
    with pytest.raises(ValueError, match="use --set features=FOLDER"):
        cache_features(read_recipe("stage1", bf16=False))
    assert command(["cache-features", "stage1"]) == 1


def test_no_cache(recipe, folder):
    with pytest.raises(FileNotFoundError, match=r"There is no feature cache in .*: run minigpt4 cache-features"):
        losses(recipe(features=str(folder)))


def test_a_mixture_with_a_damaged_image(recipe, folder, own_folder, monkeypatch):
    """Which training passes over, and so does the cache."""
    (own_folder / "7.png").write_bytes(b"no picture")
    settings = {"data": [{"name": str(own_folder)}], "max_broken": 0.5, "max_steps": 3}
    expected = losses(recipe(**settings))
    assert len(cache_features(recipe(**settings, features=str(folder)))) == 4
    monkeypatch.delattr("transformers.Blip2VisionModel.forward")
    assert losses(recipe(**settings, features=str(folder))) == expected


def test_processes_that_begin_with_the_same_image(recipe, folder):
    cache_features(recipe(features=str(folder)))
    for name in ("second", "third"):
        features._save_shard(folder, {"first": torch.zeros(1), name: torch.zeros(1)})
    assert {"first", "second", "third"} <= set(FeatureCache(folder).files)
