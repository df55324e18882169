"""LoRA as MiniGPT-v2 has it: what learns, what is saved, and that it comes back in a fresh process."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from transformers import AutoModelForImageTextToText

from minigpt4 import MiniGPT4ForConditionalGeneration
from minigpt4.hub_cards import merge_adapter
from minigpt4.training import StageTrainer, lora_config
from minigpt4.training.data.sources import load_train_rows
from minigpt4.training.model import load_model
from minigpt4.training.run import run


LOAD = """
import sys
import minigpt4, torch
from peft import PeftModel
from transformers import AutoModelForImageTextToText
adapter, base, inputs, output = sys.argv[1:]
inputs = torch.load(inputs, weights_only=True)
by_name = AutoModelForImageTextToText.from_pretrained(adapter, dtype=torch.float32)
by_peft = PeftModel.from_pretrained(AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32), adapter)
logits = [by_name.eval()(**inputs).logits, by_peft.eval()(**inputs).logits]
merged = by_peft.merge_and_unload()
logits.append(merged(**inputs).logits)
merged.save_pretrained(output)
torch.save([*logits, AutoModelForImageTextToText.from_pretrained(output)(**inputs).logits], output + ".pt")
"""


LOAD_IN_FOUR_BITS = """
import sys
import minigpt4, torch
from peft import PeftModel
from transformers import AutoModelForImageTextToText, BitsAndBytesConfig
adapter, base, inputs, output = sys.argv[1:]
inputs = torch.load(inputs, weights_only=True)
config = BitsAndBytesConfig(
    load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype="bfloat16"
)
settings = {"dtype": torch.bfloat16, "quantization_config": config}
model = AutoModelForImageTextToText.from_pretrained(adapter, **settings).eval()
plain = AutoModelForImageTextToText.from_pretrained(base, **settings).eval()
seen = {
    "layers": {
        "language_model": type(plain.model.language_model.layers[0].mlp.up_proj).__name__,
        "vision_tower": type(plain.model.vision_tower.encoder.layers[0].mlp.fc1).__name__,
    },
    "logits": model(**inputs).logits.float(),
    "base": plain(**inputs).logits.float(),
    "answer": model.generate(**inputs, max_new_tokens=3),
}
merged = PeftModel.from_pretrained(plain, adapter).merge_and_unload()
torch.save({**seen, "merged": merged(**inputs).logits.float()}, output)
"""


@pytest.fixture
def inputs(processor):
    return dict(processor(images=Image.new("RGB", (28, 28), "red"), text="<ImageHere> What?", return_tensors="pt"))


@pytest.fixture
def trained(recipe, processor):
    """A trainer after some steps of MiniGPT-v2's third stage at a rate that can be seen."""
    rates = {"learning_rate": 1e-2, "min_lr": 1e-2, "warmup_lr": 1e-2, "warmup_steps": 0}
    read = recipe("v2-stage3", bf16=False, save_strategy="steps", save_steps=2, **rates)
    torch.manual_seed(0)
    model = load_model(read.model)
    rows = load_train_rows(read.data)
    trainer = StageTrainer(model, read.args, read.sequence, processing_class=processor, train_dataset=rows)
    trainer.train()
    trainer.save_model()
    return trainer


def test_published_values():
    config = lora_config()
    assert (config.r, config.lora_alpha, config.lora_dropout) == (64, 16, 0.05)
    assert config.modules_to_save == ["multi_modal_projector"]
    assert lora_config(r=8, lora_dropout=0.0).r == 8


def test_queries_and_values_of_the_language_model_and_the_projection_learn(model):
    peft = get_peft_model(model, lora_config(r=2))
    learning = {name for name, parameter in peft.named_parameters() if parameter.requires_grad}
    lora = {name for name in learning if "lora_" in name}
    assert learning - lora == {
        f"base_model.model.model.multi_modal_projector.modules_to_save.default.{name}" for name in ("weight", "bias")
    }
    layers = [f"base_model.model.model.language_model.layers.{index}.self_attn" for index in range(2)]
    assert lora == {
        f"{layer}.{which}_proj.lora_{side}.default.weight" for layer in layers for which in "qv" for side in "AB"
    }


def test_nothing_else_changes(trained, model):
    base = model.state_dict()
    for name, tensor in trained.model.get_base_model().state_dict().items():
        plain = name.replace(".base_layer", "").replace(".original_module", "")
        if "lora_" not in name and "modules_to_save" not in name:
            assert torch.equal(tensor, base[plain]), name
    projection = trained.model.get_base_model().model.multi_modal_projector.modules_to_save["default"].weight
    assert not torch.equal(projection, base["model.multi_modal_projector.weight"])


def test_checkpoints_hold_what_learned_only(trained, tmp_path):
    from safetensors import safe_open

    for folder in (tmp_path / "run", tmp_path / "run" / "checkpoint-2"):
        with safe_open(folder / "adapter_model.safetensors", "pt") as file:
            names = set(file.keys())
        assert {name for name in names if "lora_" not in name} == {
            f"base_model.model.model.multi_modal_projector.{name}" for name in ("weight", "bias")
        }
        assert not (folder / "model.safetensors").exists()


def test_comes_back_in_a_fresh_process_and_merges(trained, tiny_checkpoint, inputs, fresh, tmp_path):
    expected = trained.model.eval()(**inputs).logits
    torch.save(inputs, tmp_path / "inputs.pt")
    arguments = [tmp_path / "run", tiny_checkpoint, tmp_path / "inputs.pt", tmp_path / "merged"]
    done = fresh(LOAD, *arguments)
    assert done.returncode == 0, done.stderr
    by_name, by_peft, merged, saved = torch.load(tmp_path / "merged.pt")
    base = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)(**inputs).logits
    assert not torch.allclose(expected, base, atol=1e-2)
    for logits in (by_name, by_peft):
        torch.testing.assert_close(logits, expected)
    for logits in (merged, saved):
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


@pytest.fixture
def with_lora(model, processor, tmp_path):
    """A folder of a model and a LoRA beside it, as `minigpt4 convert v2 --keep-lora` writes."""
    folder = tmp_path / "with_lora"
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    adapted = get_peft_model(model, LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"]))
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter)
    adapted.save_pretrained(folder)
    return str(folder)


def test_a_lora_beside_the_weights_is_trained_further(with_lora, recipe, inputs, tmp_path):
    lora = {"model_name_or_path": with_lora, "lora_r": 2, "lora_alpha": 4}
    before = AutoModelForImageTextToText.from_pretrained(with_lora)(**inputs).logits
    read = recipe("v2-stage3", bf16=False, **lora)
    torch.testing.assert_close(load_model(read.model).eval()(**inputs).logits, before)
    rates = {"learning_rate": 1e-2, "min_lr": 1e-2, "warmup_lr": 1e-2, "warmup_steps": 0}
    output = run(recipe("v2-stage3", bf16=False, **rates, **lora))
    after = AutoModelForImageTextToText.from_pretrained(output)(**inputs).logits
    assert not torch.allclose(after, before, atol=1e-2)
    merge_adapter(output, tmp_path / "merged")
    merged = AutoModelForImageTextToText.from_pretrained(tmp_path / "merged")(**inputs).logits
    torch.testing.assert_close(merged, after, rtol=1e-4, atol=1e-4)


def test_a_lora_beside_the_weights_is_never_lost(with_lora, recipe, processor):
    with pytest.raises(ValueError, match="lora_r=2"):
        load_model(recipe("v2-stage3", model_name_or_path=with_lora).model)
    with pytest.raises(ValueError, match=r"would lose: .*use_peft=true"):
        load_model(recipe("stage2", model_name_or_path=with_lora).model)
    read = recipe("stage2", bf16=False)
    model = AutoModelForImageTextToText.from_pretrained(with_lora)
    with pytest.raises(ValueError, match=r"would lose model\.multi_modal_projector"):
        StageTrainer(model, read.args, read.sequence, processing_class=processor, train_dataset=[])


def test_four_bits(tmp_path, fresh, recipe, processor, model):
    pytest.importorskip("bitsandbytes", reason="the extra `quantization` is not installed")
    config = model.config
    config.text_config.hidden_size = config.text_config.intermediate_size = 128
    config.text_config.head_dim = 64  # bitsandbytes packs whole blocks only
    torch.manual_seed(0)
    wide = str(tmp_path / "wide")
    MiniGPT4ForConditionalGeneration(config).save_pretrained(wide)
    processor.save_pretrained(wide)
    try:
        output = run(recipe("qlora", model_name_or_path=wide, learning_rate=1e-2, max_steps=2))
    except (NotImplementedError, RuntimeError) as error:
        if "device" in str(error):
            pytest.skip(f"bitsandbytes has no device here: {error}")
        raise
    inputs = dict(processor(images=Image.new("RGB", (28, 28), "red"), text="<ImageHere> What?", return_tensors="pt"))
    torch.save(inputs, tmp_path / "inputs.pt")
    done = fresh(LOAD_IN_FOUR_BITS, output, wide, tmp_path / "inputs.pt", tmp_path / "seen.pt")
    assert done.returncode == 0, done.stderr
    seen = torch.load(tmp_path / "seen.pt")
    assert seen["layers"] == {"language_model": "Linear4bit", "vision_tower": "Linear"}
    assert seen["answer"].shape[1] > inputs["input_ids"].shape[1]
    learned = (seen["logits"] - seen["base"]).abs().mean()
    lost = (seen["merged"] - seen["logits"]).abs().mean()  # 4 bits hold what is merged no better than the rest
    assert learned > 0.1
    assert lost < 0.3 * learned
