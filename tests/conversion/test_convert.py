"""What conversion makes of the different forms in which the files come, and what the folder can do."""

import io
import json
import re
from pathlib import Path

import pytest
import torch
from helpers.published import (
    LORA_RANK,
    QUERIES,
    SENTENCES,
    TEXT_LAYERS,
    TEXT_WIDTH,
    WIDTH,
    eva,
)
from huggingface_hub import constants
from peft import PeftModel
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    BitsAndBytesConfig,
    GenerationConfig,
)
from transformers.dynamic_module_utils import get_relative_import_files
from transformers.utils import is_bitsandbytes_available

from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration
from minigpt4.conversion import FAMILIES, convert
from minigpt4.conversion.configuration import make_config


def tensors(folder) -> dict[str, torch.Tensor]:
    return {name: tensor for file in folder.glob("model*.safetensors") for name, tensor in load_file(file).items()}


def assert_same_tensors(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert tensor.dtype == theirs[name].dtype, name
        assert torch.equal(tensor, theirs[name]), name


def edit_checkpoint(files, edit):
    content = torch.load(files.checkpoint)
    edit(content)
    torch.save(content, files.checkpoint)


# Sources


def test_weights_in_other_forms_give_the_same(files, converted, tmp_path):
    made = files("vicuna")
    torch.save(torch.load(made.vision), made.vision, _use_new_zipfile_serialization=False)
    blip2 = made.folder / "blip2.safetensors"
    save_file(torch.load(made.qformer)["model"], blip2)
    shards = sorted(made.language_model.glob("*.bin"))
    whole = {key: tensor for shard in shards for key, tensor in torch.load(shard).items()}
    for file in (*shards, made.language_model / "pytorch_model.bin.index.json"):
        file.unlink()
    save_file(whole, made.language_model / "model.safetensors")
    torch.save(torch.load(made.checkpoint)["model"], made.checkpoint)
    output = convert("vicuna", **{**made.arguments, "qformer": blip2}, output=tmp_path / "output")
    assert_same_tensors(tensors(output), tensors(converted("vicuna")))


@pytest.mark.parametrize("family", ["vicuna", "llama2"])
def test_a_tokenizer_without_its_sentencepiece_file(files, converted, tmp_path, family):
    published = files(family)
    AutoTokenizer.from_pretrained(published.language_model).save_pretrained(published.language_model)
    (published.language_model / "tokenizer.model").unlink()
    folder = convert(family, **published.arguments, output=tmp_path / "converted")
    ours, wanted = (AutoProcessor.from_pretrained(name).tokenizer for name in (folder, converted(family)))
    prompts = [*SENTENCES, "<Img><ImageHere></Img> The image", "end</s> start"]
    assert ours(prompts).input_ids == wanted(prompts).input_ids
    assert (ours.pad_token, ours.padding_side, len(ours)) == (wanted.pad_token, wanted.padding_side, len(wanted))


def test_a_blip2_folder_gives_both_towers(shared_files, blip2_folder, tmp_path):
    folder, blip2 = blip2_folder
    arguments = {**shared_files("vicuna").arguments, "vision": folder, "qformer": folder}
    found = tensors(convert("vicuna", **arguments, output=tmp_path / "output"))
    theirs = blip2.state_dict()
    for ours, name in (("vision_tower", "vision_model"), ("qformer", "qformer"), ("query_tokens", "query_tokens")):
        expected = {key: tensor for key, tensor in theirs.items() if key.startswith(name)}
        assert expected
        for key, tensor in expected.items():
            assert torch.equal(found["model." + key.replace(name, ours, 1)], tensor), key


def test_the_vision_file_gives_no_ln_vision(shared_files, blip2_folder, tmp_path):
    arguments = {**shared_files("llama2").arguments, "vision": blip2_folder[0]}
    found = tensors(convert("llama2", **arguments, output=tmp_path / "output"))
    assert torch.equal(found["model.vision_tower.post_layernorm.weight"], torch.ones(WIDTH))
    assert torch.equal(found["model.vision_tower.post_layernorm.bias"], torch.zeros(WIDTH))


def test_a_blip2_file_gives_ln_vision_to_families_without_qformer(shared_files, tmp_path):
    blip2 = shared_files("vicuna").qformer
    folder = convert("v2", **shared_files("v2").arguments, qformer=blip2, output=tmp_path / "output")
    theirs, found = torch.load(blip2)["model"], tensors(folder)
    for part in ("weight", "bias"):
        assert torch.equal(found[f"model.vision_tower.post_layernorm.{part}"], theirs[f"ln_vision.{part}"])
    assert not any("qformer" in name or "query" in name for name in found)


def test_hub_ids_stand_for_folders(shared_files, converted, blip2_folder, tmp_path, monkeypatch):
    files, cache = shared_files("llama2"), tmp_path / "cache"
    for name, folder in (("someone/llm", files.language_model), ("Salesforce/blip2", blip2_folder[0])):
        repository = cache / f"models--{name.replace('/', '--')}"
        (repository / "refs").mkdir(parents=True)
        (repository / "refs/main").write_text("1234")
        (repository / "snapshots").mkdir()
        (repository / "snapshots/1234").symlink_to(folder)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    arguments = {**files.arguments, "language_model": "someone/llm"}
    output = convert("llama2", **arguments, output=tmp_path / "output")
    assert_same_tensors(tensors(output), tensors(converted("llama2")))
    arguments["vision"] = "Salesforce/blip2"
    found = tensors(convert("llama2", **arguments, output=tmp_path / "blip2"))
    name = "encoder.layers.0.self_attn.qkv.bias"
    expected = blip2_folder[1].state_dict()[f"vision_model.{name}"]
    assert torch.equal(found[f"model.vision_tower.{name}"], expected)


def test_only_shards_with_towers_are_downloaded(shared_files, blip2_folder, hub, tmp_path):
    folder = tmp_path / "sharded"
    blip2_folder[1].save_pretrained(folder, max_shard_size=20_000)
    requests = hub("Salesforce/blip2", folder)
    arguments = {**shared_files("vicuna").arguments, "vision": "Salesforce/blip2", "qformer": "Salesforce/blip2"}
    output = convert("vicuna", **arguments, output=tmp_path / "output")
    assert torch.equal(tensors(output)["model.query_tokens"], blip2_folder[1].query_tokens)
    weight_map = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    towers = {file for key, file in weight_map.items() if key.startswith(("vision_model", "qformer", "query"))}
    downloaded = {path.rsplit("/", 1)[1] for path in requests if path.startswith("GET") and "/resolve/" in path}
    assert {name for name in downloaded if name.endswith(".safetensors")} == towers
    assert towers < set(weight_map.values())


def test_every_tensor_keeps_its_dtype(files, tmp_path):
    made = files("vicuna")
    for shard in made.language_model.glob("*.bin"):
        torch.save({key: tensor.half() for key, tensor in torch.load(shard).items()}, shard)
    torch.save({key: tensor.bfloat16() for key, tensor in torch.load(made.vision).items()}, made.vision)
    output = convert("vicuna", **made.arguments, output=tmp_path / "output")
    for name, tensor in tensors(output).items():
        if ".post_layernorm." in name or not name.startswith(
            ("model.vision_tower.", "model.language_model.", "lm_head")
        ):
            assert tensor.dtype == torch.float32, name
        else:
            assert tensor.dtype == (torch.bfloat16 if "vision_tower" in name else torch.float16), name
    model = AutoModelForImageTextToText.from_pretrained(output)
    assert model.model.language_model.dtype == model.model.vision_tower.dtype == torch.float16
    assert model.model.qformer.dtype == torch.float32


def test_positions_are_resized_in_float32(files, tmp_path):
    made = files("v2")
    torch.save({key: tensor.half() for key, tensor in torch.load(made.vision).items()}, made.vision)
    positions = tensors(convert("v2", **made.arguments, output=tmp_path / "output"))[
        "model.vision_tower.embeddings.position_embedding"
    ]
    published = torch.load(made.vision)["pos_embed"]
    assert positions.dtype == torch.float32
    assert positions.shape == (1, 1 + 64, WIDTH)
    assert torch.equal(positions[:, 0], published[:, 0].float())
    half = positions[:, 1:].half().float()
    assert not torch.equal(positions[:, 1:], half)


# What was trained


def test_a_fine_tuned_qformer_takes_the_place_of_blip2s(files, tmp_path):
    made = files("vicuna")
    key = "Qformer.bert.encoder.layer.1.output_query.dense.weight"
    tuned = {"query_tokens": torch.ones(1, QUERIES, 24), key: torch.ones(24, 48), "ln_vision.bias": torch.ones(WIDTH)}
    edit_checkpoint(made, lambda content: content["model"].update(tuned))
    found = tensors(convert("vicuna", **made.arguments, output=tmp_path / "output"))
    for name in (
        "model.query_tokens",
        "model.qformer.encoder.layer.1.output_query.dense.weight",
        "model.vision_tower.post_layernorm.bias",
    ):
        assert (found[name] == 1).all()
    untouched = torch.load(made.qformer)["model"]["ln_vision.weight"]
    assert torch.equal(found["model.vision_tower.post_layernorm.weight"], untouched)


def test_newer_names_of_lora(files, converted, tmp_path):
    made = files("v2")

    def rename(content):
        content["model"] = {
            key.replace("lora_A.", "lora_A.default.").replace("lora_B.", "lora_B.default."): tensor
            for key, tensor in content["model"].items()
        }

    edit_checkpoint(made, rename)
    assert_same_tensors(tensors(convert("v2", **made.arguments, output=tmp_path / "output")), tensors(converted("v2")))


@pytest.mark.parametrize(("stored", "alpha"), [({"lora_alpha": 32}, 32), ({}, 16), (None, 16)])
def test_alpha_is_the_checkpoints_or_the_familys(files, tmp_path, stored, alpha):
    made = files("v2")
    edit_checkpoint(made, lambda content: content.update(config=stored and {"model": stored}))
    found = tensors(convert("v2", **made.arguments, output=tmp_path / "output"))
    saved = torch.load(made.checkpoint)["model"]
    for layer in range(TEXT_LAYERS):
        key = f"model.layers.{layer}.self_attn.v_proj.weight"
        name = f"llama_model.base_model.model.{key.removesuffix('.weight')}.lora_"
        index = json.loads((made.language_model / "pytorch_model.bin.index.json").read_text())["weight_map"]
        base = torch.load(made.language_model / index[key])[key]
        expected = base + alpha / LORA_RANK * saved[f"{name}B.weight"] @ saved[f"{name}A.weight"]
        torch.testing.assert_close(found[key.replace("model.", "model.language_model.", 1)], expected)


def logits(model) -> torch.Tensor:
    ids = torch.arange(5, 60)[None]
    with torch.no_grad():
        return model(input_ids=ids).logits


def test_a_kept_lora_is_a_peft_adapter(converted):
    merged, kept = converted("v2"), converted("v2", keep_lora=True)
    expected = logits(AutoModelForImageTextToText.from_pretrained(merged))
    with_adapter = AutoModelForImageTextToText.from_pretrained(kept)
    torch.testing.assert_close(logits(with_adapter), expected, atol=1e-4, rtol=1e-4)
    assert answers(kept, with_adapter) == answers(merged, AutoModelForImageTextToText.from_pretrained(merged))

    base = MiniGPT4ForConditionalGeneration.from_pretrained(kept, adapter_kwargs={"subfolder": "none"})
    assert (logits(base) - expected).abs().max() > 0.1
    peft_model = PeftModel.from_pretrained(base, kept)
    torch.testing.assert_close(logits(peft_model), expected, atol=1e-4, rtol=1e-4)
    assert peft_model.peft_config["default"].r == LORA_RANK
    torch.testing.assert_close(logits(peft_model.merge_and_unload()), expected, atol=1e-4, rtol=1e-4)


def answers(folder, model) -> list[int]:
    """Ids of a greedy answer about a grey picture."""
    processor = AutoProcessor.from_pretrained(folder)
    content = [{"type": "image", "image": Image.new("RGB", (40, 60), "grey")}, {"type": "text", "text": "What is it?"}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    output = model.generate(**inputs, do_sample=False, max_new_tokens=12)[0]
    assert len(output) > inputs["input_ids"].shape[1]
    return output.tolist()


# The row of the image placeholder


@pytest.mark.parametrize("family", ["vicuna", "v2"])
def test_the_placeholder_has_a_row_of_its_own_and_no_share_in_the_softmax(converted, family):
    model = AutoModelForImageTextToText.from_pretrained(converted(family))
    row = model.config.image_token_id
    embeddings, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    assert row == len(embeddings) - 1
    assert not (embeddings[:row] == embeddings[row]).all(-1).any()
    hidden = (
        torch.randn(200, TEXT_WIDTH, generator=torch.Generator().manual_seed(0)) * torch.logspace(-2, 2, 200)[:, None]
    )
    assert (hidden @ head.T).softmax(-1)[:, row].max() <= 1 / row + 1e-6


# The folder


def test_published_sizes_of_the_families(shared_files, converted):
    text_config = MiniGPT4Config.from_pretrained(converted("v2")).text_config
    text_config.vocab_size -= 1
    tokenizer = AutoProcessor.from_pretrained(converted("v2")).tokenizer
    made = {name: make_config(family, text_config, tokenizer, {}) for name, family in FAMILIES.items()}
    assert {name: config.num_image_tokens for name, config in made.items()} == {"vicuna": 32, "llama2": 64, "v2": 256}
    assert {name: config.projector_input_size for name, config in made.items()} == {
        "vicuna": 768,
        "llama2": 5632,
        "v2": 5632,
    }
    assert {config.vision_config.num_hidden_layers for config in made.values()} == {39}


@pytest.mark.parametrize(
    ("family", "temperature", "max_new_tokens"), [("vicuna", 1.0, 300), ("llama2", 1.0, 300), ("v2", 0.6, 500)]
)
def test_generation_defaults(converted, family, temperature, max_new_tokens):
    config = GenerationConfig.from_pretrained(converted(family))
    assert (config.temperature, config.max_new_tokens) == (temperature, max_new_tokens)
    assert (config.do_sample, config.top_p, config.repetition_penalty, config.num_beams) == (True, 0.9, 1.05, 1)
    assert (config.bos_token_id, config.eos_token_id) == (1, 2)


@pytest.mark.parametrize(
    ("family", "answer"), [("vicuna", "A list:"), ("llama2", "A list: ###"), ("v2", "A list: ###")]
)
def test_answers_end_where_the_familys_do(converted, family, answer):
    folder = converted(family)
    processor, tokenizer = AutoProcessor.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    config = GenerationConfig.from_pretrained(folder)
    assert config.stop_strings is None
    if family == "vicuna":
        written = [tokenizer.encode("a" + mark, add_special_tokens=False)[1:] for mark in (" ###", "###")]
        assert config.end_sequences[:2] == written
    else:
        assert not hasattr(config, "end_sequences")
    ids = tokenizer.encode("A list: ###</s>", add_special_tokens=False)
    assert processor.decode(ids, skip_special_tokens=True).strip() == answer


def test_nothing_of_this_machine_is_in_the_folder(converted, tmp_path):
    for family in FAMILIES:
        for file in converted(family).iterdir():
            if file.suffix in (".json", ".md"):
                assert str(tmp_path.parent.parent) not in file.read_text(encoding="utf-8"), file


def test_whoever_may_read_the_card_may_read_the_weights(converted):
    for folder in (converted("vicuna"), converted("v2", keep_lora=True)):
        assert len({file.stat().st_mode for file in folder.iterdir()}) == 1


@pytest.mark.parametrize(("family", "start"), [("vicuna", "###Assistant:"), ("llama2", "[/INST]"), ("v2", "[/INST]")])
def test_where_an_answer_starts_is_saved(converted, family, start):
    assert json.loads((converted(family) / "processor_config.json").read_text())["answer_starts"] == [start]


def test_the_code_that_the_folder_names_is_in_it(converted):
    folder = converted("llama2")
    settings = [json.loads((folder / "processor_config.json").read_text())]
    settings += [settings[0]["image_processor"], json.loads((folder / "config.json").read_text())]
    named = [name for setting in settings for name in setting["auto_map"].values()]
    files = {f"{name.split('.')[0]}.py" for names in named for name in ([names] if isinstance(names, str) else names)}
    assert "modeling_minigpt4.py" in files
    for file in files:
        assert all((folder / Path(needed).name).is_file() for needed in get_relative_import_files(folder / file)), file


def test_progress_is_shown_on_a_terminal(shared_files, tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    convert("llama2", **shared_files("llama2").arguments, output=tmp_path / "output")
    assert "Weights: 100%" in terminal.getvalue()


def test_the_card_says_what_it_was_made_from(converted):
    card = (converted("vicuna") / "README.md").read_text()
    assert all(name in card for name in ("eva_vit_g.pth", "blip2.pth", "checkpoint.pth", "MiniGPT-4 (Vicuna)"))
    assert "$" not in card


@pytest.mark.parametrize("family", FAMILIES)
def test_the_pipeline_of_the_card(converted, picture, capsys, family):
    [code] = re.findall(r"```python\n(.*?)```", (converted(family) / "README.md").read_text(), flags=re.DOTALL)
    for shown, here in {
        "PATH_OR_ID": str(converted(family)),
        "picture.png": str(picture),
        "=False)": "=False, generate_kwargs={'max_new_tokens': 8})",
    }.items():
        assert shown in code
        code = code.replace(shown, here)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out


def test_shards_with_their_index(shared_files, converted, tmp_path):
    output = convert("v2", **shared_files("v2").arguments, output=tmp_path / "output", max_shard_size=50_000)
    shards = sorted(output.glob("model-*.safetensors"))
    assert len(shards) > 3
    assert max(shard.stat().st_size for shard in shards) < 60_000
    assert (
        json.loads((output / "model.safetensors.index.json").read_text())["weight_map"].keys()
        == tensors(output).keys()
    )
    assert_same_tensors(tensors(output), tensors(converted("v2")))
    sharded, whole = (MiniGPT4ForConditionalGeneration.from_pretrained(folder) for folder in (output, converted("v2")))
    assert torch.equal(logits(sharded), logits(whole))


@pytest.mark.parametrize("bits", ["load_in_4bit", "load_in_8bit"])
def test_quantized_loading_says_what_to_install(converted, monkeypatch, bits):
    quantizer = f"transformers.quantizers.quantizer_bnb_{bits.removeprefix('load_in_')}"
    monkeypatch.setattr(f"{quantizer}.is_bitsandbytes_available", lambda: False)
    with pytest.raises(ImportError, match=r"pip install.*bitsandbytes"):
        AutoModelForImageTextToText.from_pretrained(
            converted("v2"), quantization_config=BitsAndBytesConfig(**{bits: True})
        )


@pytest.mark.skipif(not is_bitsandbytes_available(), reason="needs bitsandbytes")
@pytest.mark.parametrize("bits", ["load_in_4bit", "load_in_8bit"])
def test_quantized_loading_leaves_towers_and_projection_alone(converted, bits):
    model = AutoModelForImageTextToText.from_pretrained(
        converted("vicuna"), quantization_config=BitsAndBytesConfig(**{bits: True}), dtype=torch.bfloat16
    )
    dtypes = {name: parameter.dtype for name, parameter in model.named_parameters()}
    quantized = {name for name, dtype in dtypes.items() if not dtype.is_floating_point}
    assert quantized
    assert all(name.startswith("model.language_model.layers.") for name in quantized)
    assert dtypes["model.vision_tower.encoder.layers.0.mlp.fc1.weight"] == torch.bfloat16
    assert dtypes["model.multi_modal_projector.weight"] == torch.bfloat16


def test_the_published_files_stay_as_they_are(files, tmp_path):
    made = files("llama2")
    before = {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()}
    convert("llama2", **made.arguments, output=tmp_path / "output")
    assert {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()} == before
    assert set(eva(torch.Generator())) == set(torch.load(made.vision))
