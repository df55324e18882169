"""What verification shows, and what it finds."""

import re
import shutil
from collections import Counter

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig

from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration
from minigpt4.conversion import verify
from minigpt4.conversion.names import component
from minigpt4.conversion.plan import expected_shapes
from minigpt4.conversion.verify import print_report


def sources(files) -> dict:
    return {name: path for name, path in files.arguments.items() if name != "config"}


@pytest.mark.parametrize(("family", "kept"), [("vicuna", {}), ("llama2", {}), ("v2", {}), ("v2", {"keep_lora": True})])
def test_everything_is_what_its_sources_say(shared_files, converted, family, kept):
    report = verify(converted(family, **kept), **sources(shared_files(family)))
    assert report.problems == []
    assert all(part.compared == part.tensors for part in report.components.values())
    parts = ["ln_vision", "vision tower", "projection", "language model"]
    parts += ["Q-Former"] if family == "vicuna" else []
    parts += ["LoRA"] if kept else []
    assert sorted(report.components) == sorted(parts)


def test_counts_are_those_of_the_network(converted):
    network = MiniGPT4ForConditionalGeneration.from_pretrained(converted("vicuna"))
    report = verify(converted("vicuna"))
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in network.model.named_children()}
    found = {name: part.parameters for name, part in report.components.items()}
    assert found["vision tower"] + found["ln_vision"] == count["vision_tower"]
    assert found["Q-Former"] == count["qformer"] + network.model.query_tokens.numel()
    assert found["projection"] == count["multi_modal_projector"]
    assert found["language model"] == count["language_model"] + network.lm_head.weight.numel()
    assert {dtype for part in report.components.values() for dtype in part.dtypes} == {"float32"}


def test_checksums_tell_which_part_changed(converted, tmp_path):
    before = verify(converted("llama2")).components
    folder = shutil.copytree(converted("llama2"), tmp_path / "changed")
    tensors = load_file(folder / "model.safetensors")
    tensors["model.multi_modal_projector.bias"][3] += 1e-3
    save_file(tensors, folder / "model.safetensors")
    after = verify(folder).components
    assert {part for part in before if before[part].checksum != after[part].checksum} == {"projection"}


def test_an_adapter_of_another_scale(shared_files, converted, tmp_path):
    folder = shutil.copytree(converted("v2", keep_lora=True), tmp_path / "changed")
    config = folder / "adapter_config.json"
    config.write_text(config.read_text().replace('"lora_alpha": 16', '"lora_alpha": 32'))
    [problem] = verify(folder, **sources(shared_files("v2"))).problems
    assert all(word in problem for word in ("lora_alpha", "32", "16", "checkpoint.pth"))


def test_any_source_can_be_compared_alone(shared_files, converted):
    report = verify(converted("vicuna"), checkpoint=shared_files("vicuna").checkpoint)
    assert {part: found.compared for part, found in report.components.items() if found.compared} == {"projection": 2}
    assert report.problems == []


def test_a_changed_tensor_is_named(shared_files, converted, tmp_path):
    folder = shutil.copytree(converted("vicuna"), tmp_path / "changed")
    tensors = load_file(folder / "model.safetensors")
    key = "model.qformer.encoder.layer.0.crossattention.attention.key.weight"
    tensors[key][0, 0] += 0.5
    save_file(tensors, folder / "model.safetensors")
    [problem] = verify(folder, **sources(shared_files("vicuna"))).problems
    assert key in problem
    assert "crossattention.self.key.weight in" in problem
    assert "0.5" in problem


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite(converted, tmp_path, number):
    folder = shutil.copytree(converted("llama2"), tmp_path / "changed")
    tensors = load_file(folder / "model.safetensors")
    key = "model.language_model.layers.0.mlp.up_proj.weight"
    tensors[key][0, 0] = number
    save_file(tensors, folder / "model.safetensors")
    assert verify(folder).problems == [f"{key} holds numbers that are not finite"]


def test_a_lora_that_was_not_merged_is_found(shared_files, converted):
    files = shared_files("v2")
    problems = verify(converted("v2"), language_model=files.language_model).problems
    assert len(problems) == 4
    assert all("_proj.weight" in problem for problem in problems)


def test_the_report_ends_in_a_verdict(converted, capsys):
    folder = converted("llama2")
    print_report(verify(folder), folder)
    *_, verdict = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"{folder} passed: \d+ tensors, all in their places and finite, none compared .*", verdict)


@pytest.mark.parametrize("kind", ["missing", "unknown", "misshapen"])
def test_tensors_that_do_not_fit_the_configuration(converted, tmp_path, kind):
    folder = shutil.copytree(converted("llama2"), tmp_path / "changed")
    tensors = load_file(folder / "model.safetensors")
    key = "model.multi_modal_projector.bias"
    if kind == "missing":
        del tensors[key]
    elif kind == "unknown":
        key = "model.qformer.layernorm.bias"
        tensors[key] = torch.zeros(3)
    else:
        tensors[key] = torch.zeros(3)
    save_file(tensors, folder / "model.safetensors")
    [problem] = verify(folder).problems
    assert problem.startswith(key)


def parameters(width: int, image_size: int = 224, **kwargs) -> dict[str, int]:
    """Of each part, for the published towers around a language model of this width."""
    text_config = LlamaConfig(vocab_size=32001, hidden_size=width, num_attention_heads=32, num_hidden_layers=1)
    config = MiniGPT4Config(vision_config={"image_size": image_size}, text_config=text_config, **kwargs)
    counts = Counter()
    for name, shape in expected_shapes(config).items():
        counts[component(name)] += shape.numel()
    return counts


def test_parameters_of_the_published_sizes():
    vicuna_13b, vicuna_7b = parameters(5120), parameters(4096)
    assert vicuna_13b["projection"] == 3_937_280
    assert vicuna_7b["projection"] == 3_149_824
    assert f"{vicuna_13b['vision tower'] / 1e6:.1f}" == "985.9"
    assert f"{(vicuna_13b['Q-Former'] - 24_576) / 1e6:.1f}" == "105.1"
    v2 = parameters(4096, image_size=448, qformer_config=None)
    assert v2["projection"] == 23_072_768
    assert f"{v2['vision tower'] / 1e6:.1f}" == "987.0"
    assert v2["Q-Former"] == 0


def test_parameters_of_the_published_lora():
    text_config = LlamaConfig(vocab_size=32001, num_hidden_layers=1)
    wanted = expected_shapes(MiniGPT4Config(text_config=text_config, qformer_config=None))
    adapted = [shape for name, shape in wanted.items() if name.endswith(("q_proj.weight", "v_proj.weight"))]
    assert 32 * sum(64 * (inputs + outputs) for outputs, inputs in adapted) == 33_554_432
