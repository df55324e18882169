"""Everything docs/parts.md tells people to type works, with tiny models under the names of the true ones; its sizes are true."""

import json
import random
import re
import shlex
from itertools import islice

import pytest
import torch
from helpers import read_guide
from helpers.language_models import CHAT_TEMPLATES, LANGUAGE_MODELS, QWEN, QWEN_CLASS, LanguageModel, write_chat_model
from helpers.tiny_towers import write_tower
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    CLIPVisionConfig,
    Dinov2WithRegistersConfig,
    DINOv3ViTConfig,
    SiglipVisionConfig,
)

from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration
from minigpt4.cli import run
from minigpt4.evaluation.scenes import describe, draw, sample_scenes
from minigpt4.training import read_recipe
from minigpt4.training.reports.dry_run import count_operations, model_without_weights
from minigpt4.training.reports.preview import estimate_memory


GUIDE = read_guide("parts")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)
ROWS = re.findall(r"^\|.*\| `(minigpt4 .+)` \|$", GUIDE, flags=re.MULTILINE)
TOWERS = {
    "siglip2-base-patch16-224": "siglip",
    "clip-vit-large-patch14-336": "clip",
    "dinov2-with-registers-large": "dinov2-registers",
    "dinov3-vitl16": "dinov3",
    "vit-base-patch16-224": "vit",
}
EXPERTS = {"head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
QWEN_SETTINGS = QWEN_CLASS | {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
MODELS = {
    "Qwen3-0.6B": (LANGUAGE_MODELS["Qwen3"], "Qwen3"),
    "Llama-3.2-1B-Instruct": (LANGUAGE_MODELS["Llama-3-Instruct"], "Llama-3-Instruct"),
    "gemma-3-1b-it": (LANGUAGE_MODELS["Gemma-3-it"], "Gemma-3-it"),
    "Qwen3-30B-A3B": (LanguageModel("qwen3_moe", QWEN, QWEN_SETTINGS, ends=("<|im_end|>",), config=EXPERTS), "Qwen3"),
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """Where the reader works."""
    folder = tmp_path_factory.mktemp("reader")
    for name, tower in TOWERS.items():
        write_tower(folder / name, tower)
    for name, (model, template) in MODELS.items():
        write_chat_model(folder / name, model, CHAT_TEMPLATES[template])
    [config] = [text for language, text in BLOCKS if language == "json"]
    small = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2}
    told = json.loads(config)
    told |= {"picture_size": 84, "qformer_config": told["qformer_config"] | small}
    (folder / "parts.json").write_text(json.dumps(told))
    (folder / "pictures").mkdir()
    lines = []
    for number, scene in enumerate(islice(sample_scenes(seed=3), 4)):
        draw(scene, rng=random.Random(number)).save(folder / "pictures" / f"{number}.png")
        lines.append(json.dumps({"file_name": f"{number}.png", "text": describe(scene)}))
    (folder / "pictures" / "metadata.jsonl").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


def test_the_guide_from_top_to_bottom(reader, capsys):
    for row in ROWS:
        assert run(shlex.split(row)[1:]) == 0, row
    commands = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
    for line in commands:
        words = shlex.split(line)[1:]
        if words[0] == "train":
            words += [
                word
                for key in (
                    "max_steps=2",
                    "per_device_train_batch_size=2",
                    "dataloader_num_workers=0",
                    "bf16=false",
                    "use_cpu=true",
                )
                for word in ("--set", key)
            ]
        assert run(words) == 0, line
    first, second = (
        AutoModelForImageTextToText.from_pretrained(reader / "runs" / name) for name in ("stage1", "stage2")
    )
    start = AutoModelForImageTextToText.from_pretrained(reader / "untrained")
    weights = [model.model.multi_modal_projector.weight for model in (start, first, second)]
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])
    frozen = [model.model.vision_tower.state_dict() for model in (start, second)]
    assert all(torch.equal(frozen[0][name], frozen[1][name]) for name in frozen[0])
    words = "train own-lora --set model_name_or_path=runs/stage1 --set data=pictures --set output_dir=runs/lora"
    words += " --set max_steps=1 --set bf16=false --set use_cpu=true --set gradient_accumulation_steps=1"
    assert run(words.split()) == 0
    assert (reader / "runs" / "lora" / "adapter_model.safetensors").is_file()
    text = AutoProcessor.from_pretrained(reader / "vit-vicuna").apply_chat_template(
        [{"role": "user", "content": "Hi"}]
    )
    assert text.endswith("###Human: Hi")


def qwen(model_type="qwen3", **fields):
    sizes = {"num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936, "tie_word_embeddings": True}
    return AutoConfig.for_model(model_type, **{**sizes, **fields})


SIGLIP_BASE = SiglipVisionConfig(image_size=224, patch_size=16, vision_use_head=False)
SO400M = SiglipVisionConfig(
    hidden_size=1152, intermediate_size=4304, num_hidden_layers=27, num_attention_heads=16, image_size=384, patch_size=16,
    vision_use_head=False,
)  # fmt: skip
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}
# As in the `config.json` of each on the Hub.
SIZES = {
    "SigLIP 2 base (16, 224 pixels), Qwen3-0.6B": (
        {"vision_config": SIGLIP_BASE},
        qwen(hidden_size=1024, intermediate_size=3072, num_hidden_layers=28, num_attention_heads=16),
    ),
    "SigLIP 2 SO400M (16, 384 pixels), Qwen3-4B": (
        {"vision_config": SO400M},
        qwen(hidden_size=2560, intermediate_size=9728, num_hidden_layers=36, num_attention_heads=32),
    ),
    "CLIP ViT-L (14, 336 pixels), Llama-3.2-1B": (
        {"vision_config": CLIPVisionConfig(**LARGE, intermediate_size=4096, image_size=336, patch_size=14)},
        AutoConfig.for_model(
            "llama", hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32,
            num_key_value_heads=8, head_dim=64, vocab_size=128256, tie_word_embeddings=True,
        ),
    ),
    "DINOv2 ViT-L with registers (14, 224 pixels), Gemma-3-1B": (
        {"vision_config": Dinov2WithRegistersConfig(**LARGE, image_size=518, patch_size=14), "picture_size": 224},
        AutoConfig.for_model(
            "gemma3_text", hidden_size=1152, intermediate_size=6912, num_hidden_layers=26, num_attention_heads=4,
            num_key_value_heads=1, head_dim=256, vocab_size=262144, tie_word_embeddings=True,
        ),
    ),
    "DINOv3 ViT-L (16, 224 pixels), Qwen3-30B-A3B": (
        {"vision_config": DINOv3ViTConfig(**LARGE, intermediate_size=4096, image_size=224, num_register_tokens=4)},
        qwen(
            "qwen3_moe", hidden_size=2048, moe_intermediate_size=768, intermediate_size=6144, num_hidden_layers=48,
            num_attention_heads=32, num_key_value_heads=4, num_experts=128, num_experts_per_tok=8, tie_word_embeddings=False,
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_the_sizes_are_true(name):
    vision, text = SIZES[name]
    with torch.device("meta"):
        model = MiniGPT4ForConditionalGeneration(MiniGPT4Config(**vision, text_config=text, qformer_config=None))

    def size(*parts):
        return sum(parameter.numel() for part in parts for parameter in part.parameters())

    parts = [model.model.vision_tower, model.model.multi_modal_projector, model.model.language_model]
    tower, projection, language_model = map(size, parts)
    head = 0 if model.config.tie_word_embeddings else model.lm_head.weight.numel()
    row = f"| {name} | {tower / 1e6:.1f} M | {projection / 1e6:.2f} M | {(language_model + head) / 1e6:,.0f} M | "
    assert row + f"{model.config.num_image_tokens} |" in GUIDE


# Name -> recipe, rows in a batch, checkpointing, tokens of text, of them with loss, samples of the run.
CARD_OF_24_GB = {
    "SigLIP 2 base (16, 224 pixels), Qwen3-0.6B": [
        ("own-stage1", 64, False, 32, 20, 64 * 20000),
        ("own-stage2", 12, False, 176, 150, 12 * 1000),
        ("own-lora", 8, False, 176, 150, 10000),
    ],
    "SigLIP 2 SO400M (16, 384 pixels), Qwen3-4B": [
        ("own-stage1", 64, True, 32, 20, 64 * 20000),
        ("own-stage2", 12, True, 176, 150, 12 * 1000),
        ("own-lora", 8, True, 176, 150, 10000),
    ],
}
SPEED = 60e12


def plans():
    for name, runs in CARD_OF_24_GB.items():
        vision, text = SIZES[name]
        config = MiniGPT4Config(**vision, text_config=text, qformer_config=None)
        for recipe, rows, checkpointing, words, learned, samples in runs:
            read = read_recipe(recipe)
            model = model_without_weights(config, read.model, read.args.mask, torch.bfloat16)
            tokens = config.num_image_tokens + words
            labels = torch.full((rows, tokens), -100)
            labels[:, -learned:] = 1
            memory = estimate_memory(model, {"input_ids": torch.zeros_like(labels), "labels": labels}, checkpointing)
            operations = count_operations(model, tokens, learned, checkpointing=checkpointing).total
            hours = samples * operations / SPEED / 3600
            yield (
                memory["total"] / 2**30,
                (
                    f"| {name} | `{recipe}` | {rows}{', checkpointing' if checkpointing else ''} | {tokens} | "
                    f"{memory['total'] / 2**30:.1f} GiB | {operations / 1e12:.2f} TFLOP | {samples:,} | "
                    f"{f'{hours:.1f} hours' if hours >= 1 else f'{60 * hours:.0f} minutes'} |"
                ),
            )


def test_what_a_card_of_24_gb_trains():
    for memory, row in plans():
        assert memory < 22
        assert row in GUIDE
