import random
from itertools import islice

import pytest
import torch
from torch import nn

from minigpt4.evaluation.scenes.boxed import draw_boxed, sample_boxed_scenes
from minigpt4.processing import MiniGPT4ImageProcessorPil
from minigpt4.training.nano.muon import Float32Muon
from minigpt4.training.nano.pretraining import pretrain
from minigpt4.training.nano.settings import Pretraining
from minigpt4.training.nano.v2.codes import read_words, word_labels
from minigpt4.training.nano.v2.settings import NanoV2Recipe
from minigpt4.training.nano.v2.vision import pretrain_tower, to_pixels


def test_pixels_are_those_of_the_image_processor():
    scenes = list(islice(sample_boxed_scenes(0), 6))
    rng = random.Random(0)
    pictures = [draw_boxed(scene, rng) for scene in scenes]
    expected = MiniGPT4ImageProcessorPil(size={"height": 128, "width": 128})(pictures, return_tensors="pt")
    torch.testing.assert_close(to_pixels(scenes, random.Random(0)), expected["pixel_values"], atol=1e-5, rtol=0)


def test_the_tower_learns_and_follows_from_the_seed():
    steps = Pretraining(steps=2, batch_size=2, warmup_steps=1, float32=True)
    first, again, other = (pretrain_tower(NanoV2Recipe(seed=seed, tower=steps)).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)

    tower = pretrain_tower(NanoV2Recipe(tower=Pretraining(steps=20, batch_size=6, warmup_steps=3, float32=True)))
    scenes = list(islice(sample_boxed_scenes("measure", held_out=True), 32))
    with torch.no_grad():
        seen = tower(pixel_values=to_pixels(scenes, random.Random(0))).last_hidden_state[:, 1:]
    backgrounds = read_words(seen.unflatten(1, (-1, 4)).mean(2))[1].argmax(-1)
    assert (backgrounds == word_labels(scenes)[..., 1]).float().mean() > 0.4  # four backgrounds: chance is a quarter


def test_pretraining_that_was_stopped_goes_on_with_the_same_steps(tmp_path, monkeypatch):
    monkeypatch.setattr("minigpt4.training.nano.pretraining.KEEP_EVERY", 0)
    settings = Pretraining(steps=6, batch_size=1, warmup_steps=1, float32=True)

    def train(stop_at: int, kept) -> nn.Linear:
        torch.manual_seed(0)
        model = nn.Linear(4, 4)

        def loss_at(step):
            if step == stop_at:
                raise KeyboardInterrupt
            return (model(torch.randn(2, 4)) - step).square().mean()

        pretrain(model, loss_at, settings, "test", kept=kept)
        return model

    whole = train(-1, None)
    with pytest.raises(KeyboardInterrupt):
        train(4, tmp_path / "kept")
    resumed = train(-1, tmp_path / "kept")
    assert torch.equal(resumed.weight, whole.weight)
    assert torch.equal(resumed.bias, whole.bias)


def test_muon_in_float32_is_torch_s():
    torch.manual_seed(0)
    shapes = [(24, 24), (48, 24), (24, 48), (24, 24)]
    ours = [nn.Parameter(torch.randn(shape)) for shape in shapes]
    theirs = [nn.Parameter(each.detach().clone()) for each in ours]
    optimizers = (
        Float32Muon(ours, lr=0.02, weight_decay=0.1),
        torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
    )
    for _ in range(3):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = b.grad = torch.randn_like(a)
        for optimizer in optimizers:
            optimizer.step()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=2e-3, rtol=0)  # theirs works in bfloat16
