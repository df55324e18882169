"""A saved model brings its code with it: where minigpt4 is not installed, it loads, answers and trains the same."""

import json
from pathlib import Path

import datasets
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    AutoConfig,
    AutoModel,
    AutoModelForImageTextToText,
    AutoProcessor,
    pipeline,
)
from transformers.dynamic_module_utils import get_relative_import_files
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask


LOAD = """
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, AutoModelForCausalLM, AutoModelForImageTextToText
from transformers import AutoModelForMultimodalLM, AutoModelForPreTraining, AutoProcessor, pipeline
folder, again, out = sys.argv[1:]
model = AutoModelForImageTextToText.from_pretrained(folder, trust_remote_code=True)
base = AutoModel.from_pretrained(folder, trust_remote_code=True)
processor = AutoProcessor.from_pretrained(folder, trust_remote_code=True)
others = [
    auto_class.from_pretrained(folder, trust_remote_code=True)
    for auto_class in (AutoImageProcessor, AutoModelForCausalLM, AutoModelForMultimodalLM, AutoModelForPreTraining)
]
for loaded in (model, base, processor, *others):
    assert type(loaded).__module__.startswith("transformers_modules."), type(loaded)
image = Image.new("RGB", (40, 30), "red")
inputs = processor(images=image, text="<ImageHere> What?", return_tensors="pt")
pipe = pipeline("image-text-to-text", model=folder, trust_remote_code=True)
writer = pipeline("text-generation", model=folder, trust_remote_code=True)
torch.save({
    "logits": model(**inputs).logits,
    "hidden": base(**inputs).last_hidden_state,
    "answer": model.generate(**inputs),
    "piped": pipe(images=image, text="<ImageHere> What?")[0]["generated_text"],
    "written": writer("What?", do_sample=False)[0]["generated_text"],
}, out)
model.save_pretrained(again)
processor.save_pretrained(again)
"""

TRAIN = """
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor
from trl.scripts.sft import main, make_parser
folder, data, output, out = sys.argv[1:]
for steps, more in (1, []), (2, ["--resume_from_checkpoint", f"{output}/checkpoint-1"]):
    arguments = ["--model_name_or_path", folder, "--dataset_name", data, "--output_dir", output, "--max_steps", str(steps),
        "--trust_remote_code", "true", "--use_cpu", "true", "--save_steps", "1", "--report_to", "none",
        "--per_device_train_batch_size", "2", "--learning_rate", "0.01", "--dtype", "float32", *more]
    parsed = make_parser().parse_args_and_config(arguments, fail_with_unknown_args=False)
    main(*parsed[:4])
model = AutoModelForImageTextToText.from_pretrained(output, trust_remote_code=True)
processor = AutoProcessor.from_pretrained(output, trust_remote_code=True)
inputs = processor(text="What?", return_tensors="pt")
torch.save({"logits": model(**inputs).logits}, out)
"""


@pytest.fixture(scope="module")
def saved(tiny_checkpoint, tmp_path_factory):
    """Written by `save_pretrained`, without another word."""
    folder = tmp_path_factory.mktemp("remote") / "saved"
    AutoModelForImageTextToText.from_pretrained(tiny_checkpoint).save_pretrained(folder)
    AutoProcessor.from_pretrained(tiny_checkpoint).save_pretrained(folder)
    return folder


def test_loads_and_answers_the_same(saved, stranger, tmp_path):
    stranger(LOAD, saved, tmp_path / "again", tmp_path / "out.pt")
    remote = torch.load(tmp_path / "out.pt")
    model, processor = AutoModelForImageTextToText.from_pretrained(saved), AutoProcessor.from_pretrained(saved)
    assert type(model).__module__.startswith("minigpt4.")  # the package itself needs no code from a folder
    image = Image.new("RGB", (40, 30), "red")
    inputs = processor(images=image, text="<ImageHere> What?", return_tensors="pt")
    assert torch.equal(remote["logits"], model(**inputs).logits)
    assert torch.equal(remote["hidden"], model.model(**inputs).last_hidden_state)
    assert torch.equal(remote["answer"], model.generate(**inputs))
    pipe = pipeline("image-text-to-text", model=str(saved))
    assert remote["piped"] == pipe(images=image, text="<ImageHere> What?")[0]["generated_text"]
    writer = pipeline("text-generation", model=str(saved))
    assert remote["written"] == writer("What?", do_sample=False)[0]["generated_text"]
    # What a person without the package saves is as whole as what they loaded.
    assert {path.name for path in (tmp_path / "again").iterdir()} == {path.name for path in saved.iterdir()}
    assert auto_maps(tmp_path / "again") == auto_maps(saved)


def auto_maps(folder) -> dict[str, str]:
    config = json.loads((folder / "config.json").read_text())
    processor = json.loads((folder / "processor_config.json").read_text())
    return {**config["auto_map"], **processor["image_processor"]["auto_map"], **processor["auto_map"]}


def test_every_class_is_named_and_every_file_is_there(saved):
    maps = auto_maps(saved)
    assert set(maps) == {
        "AutoConfig",
        "AutoModel",
        "AutoModelForCausalLM",
        "AutoModelForImageTextToText",
        "AutoModelForMultimodalLM",
        "AutoModelForPreTraining",
        "AutoProcessor",
        "AutoImageProcessor",
    }
    assert (saved / "image_processing_minigpt4.py").is_file()  # for who wants torchvision's
    for name in maps.values():
        file = saved / f"{name.split('.')[0]}.py"
        assert f"class {name.split('.')[1]}(" in file.read_text()
        assert all(Path(beside).is_file() for beside in get_relative_import_files(file))


def test_beside_torchvision_the_pixels_are_the_published_ones(saved, stranger):
    """As far as transformers' choice goes: torchvision is not needed to see it."""
    program = """
from transformers import AutoImageProcessor, AutoProcessor
from transformers.models.auto import image_processing_auto
image_processing_auto.is_torchvision_available = lambda: True
loaded = AutoImageProcessor.from_pretrained(sys.argv[1], trust_remote_code=True)
print(type(loaded).__name__, type(AutoProcessor.from_pretrained(sys.argv[1], trust_remote_code=True).image_processor).__name__)
"""
    assert stranger(program, saved).split() == ["MiniGPT4ImageProcessorPil"] * 2


def test_trl_sft_trains_and_resumes(saved, stranger, tmp_path):
    turns = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "A red picture."}]
    rows = [{"images": [Image.new("RGB", (40, 30), "red")], "messages": turns}] * 4
    data = datasets.Dataset.from_list(rows).cast_column("images", datasets.List(datasets.Image()))
    (tmp_path / "data").mkdir()
    data.to_parquet(tmp_path / "data" / "train.parquet")
    stranger(TRAIN, saved, tmp_path / "data", tmp_path / "trained", tmp_path / "out.pt")
    trained = AutoModelForImageTextToText.from_pretrained(tmp_path / "trained")
    inputs = AutoProcessor.from_pretrained(tmp_path / "trained")(text="What?", return_tensors="pt")
    logits = trained(**inputs).logits
    assert torch.equal(torch.load(tmp_path / "out.pt")["logits"], logits)
    assert not torch.equal(AutoModelForImageTextToText.from_pretrained(saved)(**inputs).logits, logits)  # it learned


def test_what_engines_with_a_transformers_backend_ask_for(saved):
    calls = []

    def engine(module, *args, **kwargs):
        calls.append(type(module).__name__)
        return sdpa_attention_forward(module, *args, **kwargs)

    AttentionInterface.register("engine", engine)
    AttentionMaskInterface.register("engine", sdpa_mask)
    model = AutoModel.from_pretrained(saved, attn_implementation={"text_config": "engine"})
    processor = AutoProcessor.from_pretrained(saved)
    image = Image.new("RGB", (40, 30), "red")
    inputs = processor(images=image, text="<ImageHere> What?", return_tensors="pt")
    hidden = model(**inputs).last_hidden_state
    assert calls == ["LlamaAttention"] * model.config.text_config.num_hidden_layers
    torch.testing.assert_close(hidden, AutoModel.from_pretrained(saved)(**inputs).last_hidden_state)
    [features] = model.get_image_features(inputs["pixel_values"]).pooler_output
    tokens = processor._get_num_multimodal_tokens(image_sizes=[[30, 40]])
    assert tokens.num_image_tokens == [len(features)] == [processor.replace_image_token({}, 0).count("<ImageHere>")]
    assert (inputs["input_ids"] == model.config.image_token_id).sum() == len(features)


def test_what_vllm_asks_for_beside_that(saved):
    """As its Transformers backend does in vLLM 0.33, which needs another transformers than this package."""
    config = AutoConfig.from_pretrained(saved)
    assert [*json.loads((saved / "config.json").read_text())["auto_map"]][:2] == ["AutoConfig", "AutoModel"]
    with torch.device("meta"):
        model = AutoModel.from_config(config, dtype=torch.bfloat16)
    assert model.is_backend_compatible()
    assert (model.get_decoder(), model.get_encoder(modality="image")) == (model.language_model, model.vision_tower)
    in_file = {name.removeprefix("model.") for name in load_file(saved / "model.safetensors")} - {"lm_head.weight"}
    assert in_file == {name for name, _ in model.named_parameters()}

    # Pictures are read with a text of placeholders alone, and counted; a prompt is put together from what stands for each.
    processor = AutoProcessor.from_pretrained(saved)
    images = [Image.new("RGB", size, "red") for size in ((40, 30), (30, 40))]
    inputs = processor(
        images=images, text=processor.image_token * 2, return_text_replacement_offsets=True, return_tensors="pt"
    )
    [found] = inputs["text_replacement_offsets"]
    assert [one["type"] for one in found] == ["image", "image"]
    ids = [processor.tokenizer.encode(one["replacement"], add_special_tokens=False) for one in found]
    assert ids == [[config.image_token_id] * config.num_image_tokens] * 2
    assert processor.tokenizer.encode(processor.image_token, add_special_tokens=False) == [config.image_token_id]
    counted = processor._get_num_multimodal_tokens(image_sizes=[(30, 40), (40, 30)])
    assert sum(counted["num_image_patches"]) == len(inputs["pixel_values"])
    size = processor.image_processor.size  # of the largest picture that it tries
    assert [size.get(side) for side in ("height", "width")] == [config.image_size] * 2

    # A prompt goes into the model as embeddings, without batch, cache and names.
    model = AutoModel.from_pretrained(saved)
    features = model.get_image_features(inputs["pixel_values"][:1], return_dict=True).pooler_output
    embeddings = torch.cat((model.get_input_embeddings()(torch.tensor([1, 5])), *features))[None]
    positions = torch.arange(embeddings.shape[1])[None]
    with torch.no_grad():
        [hidden, *_] = model(
            input_ids=None, inputs_embeds=embeddings, position_ids=positions, use_cache=False, return_dict=False
        )
        prompt = torch.tensor([[1, 5, *ids[0]]])
        whole = model(input_ids=prompt, pixel_values=inputs["pixel_values"][:1]).last_hidden_state
    torch.testing.assert_close(hidden, whole)
