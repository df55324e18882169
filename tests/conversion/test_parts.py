"""Any vision tower and any language model: from their folders to a model in the language model's own chat form.

The tower and the language model meet in one linear layer only. So each of five towers and five language models goes through
the whole life of a model once, in pairs: it is loaded, trained in both stages, generates to its end, is saved, is loaded
again by the package and by remote code, merged with LoRA and quantized. All 25 combinations are put together, answer and
learn in memory (tests/modeling_minigpt4/test_vision_towers.py holds what towers give, test_language_models.py every language model).
"""

import json
from functools import cache

import numpy as np
import pytest
import torch
from helpers.language_models import (
    CHAT_TEMPLATES,
    CHATML,
    LANGUAGE_MODELS,
    QWEN,
    QWEN_CLASS,
    LanguageModel,
    write_chat_model,
)
from helpers.tiny_towers import PREPROCESSORS, tiny_tower, write_tower
from peft import LoraConfig, get_peft_model
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    BitsAndBytesConfig,
)
from transformers.utils import is_bitsandbytes_available

from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration
from minigpt4.conversion import assemble, verify
from minigpt4.training import SequenceArguments, SequenceCollator, apply_mask


QWEN_SETTINGS = QWEN_CLASS | {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
MODELS = {
    "Qwen3": (LANGUAGE_MODELS["Qwen3"], CHATML),  # a tied head
    "Llama-3": (LANGUAGE_MODELS["Llama-3-Instruct"], CHAT_TEMPLATES["Llama-3-Instruct"]),
    "Gemma-3": (LANGUAGE_MODELS["Gemma-3-it"], CHAT_TEMPLATES["Gemma-3-it"]),  # sliding windows
    "Qwen3-MoE": (  # experts that have other names in files
        LanguageModel(
            "qwen3_moe",
            QWEN,
            QWEN_SETTINGS,
            ends=("<|im_end|>",),
            config={"head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
        ),
        CHATML,
    ),
    "LFM2": (  # convolutions and attention
        LanguageModel(
            "lfm2", QWEN, QWEN_SETTINGS, ends=("<|im_end|>",), config={"layer_types": ["conv", "full_attention"]}
        ),
        CHATML,
    ),
}
PAIRS = dict(zip(("clip", "siglip", "dinov2-registers", "dinov3", "vit"), MODELS, strict=True))
QUESTION = [{"role": "user", "content": "What is this?"}]
CHAT = [*QUESTION, {"role": "assistant", "content": "A red ring."}, {"role": "user", "content": "Where?"}]


@pytest.fixture(scope="module")
def tower(tmp_path_factory):
    return lambda name, **fields: write_tower(tmp_path_factory.mktemp("tower") / name, name, **fields)


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    made = {}

    def folder(name):
        if name not in made:
            made[name] = write_chat_model(tmp_path_factory.mktemp("llm") / name, *MODELS[name])
        return made[name]

    return folder


@pytest.fixture(scope="module")
def assembled(tower, language_model, tmp_path_factory):
    """What a pair becomes, by the name of the tower; shared: read it only."""
    made = {}

    def folder(name):
        if name not in made:
            vision, text = tower(name), language_model(PAIRS[name])
            output = tmp_path_factory.mktemp("whole") / name
            made[name] = assemble(vision=vision, language_model=text, output=output, quiet=True), vision, text
        return made[name]

    return folder


@pytest.fixture(scope="module")
def loaded(assembled):
    """Its model and processor; shared: only read them."""
    return cache(lambda name: load(assembled(name)[0]))


@pytest.fixture(scope="module")
def alone(assembled):
    """The language model and its tokenizer, as without this package."""
    autos = (AutoModelForCausalLM, AutoTokenizer)
    return cache(lambda name: [auto.from_pretrained(assembled(name)[2]) for auto in autos])


@pytest.fixture
def image():
    return Image.new("RGB", (90, 60), "red")


def load(folder):
    return AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder)


def in_chat(processor, image, question="What is this?"):
    content = [{"type": "image", "image": image}, {"type": "text", "text": question}]
    return processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )


def three_words(model, processor, inputs):
    """An answer of the same token three times, and of what ends it."""
    count = inputs["input_ids"].shape[1]
    end = processor.tokenizer.convert_tokens_to_ids(processor.stop_strings[0])
    told = {"prefix_allowed_tokens_fn": lambda _, ids: [300 if len(ids) < count + 3 else end]}
    return model.generate(**inputs, do_sample=False, max_new_tokens=20, **told)[0, count:]


@pytest.mark.parametrize("name", PAIRS)
def test_the_parts_are_whole_and_verified(assembled, loaded, name):
    folder, vision, text = assembled(name)
    report = verify(folder, vision=vision, language_model=text, quiet=True)
    assert report.problems == []
    compared = {part: found.compared == found.tensors for part, found in report.components.items()}
    assert compared.pop("projection") is False
    assert all(compared.values())
    # The tower as transformers has it alone.
    model, _ = loaded(name)
    whole = AutoModel.from_pretrained(vision)
    alone = getattr(whole, "vision_model", whole)
    theirs = alone.state_dict()
    ours = model.model.vision_tower.state_dict()
    assert ours.keys() <= theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert all(key.startswith(("pooler.", "head.")) for key in theirs.keys() - ours.keys())


@pytest.mark.parametrize("name", PAIRS)
def test_pictures_are_the_towers_own(loaded, image, name):
    processor = loaded(name)[1].image_processor
    stated = PREPROCESSORS[name]
    assert dict(processor.size) == {"height": 56, "width": 56}
    small = torch.tensor(np.asarray(image.resize((56, 56), stated["resample"]))).flatten(0, 1).T / 255
    mean, std = (torch.tensor(stated[key])[:, None] for key in ("image_mean", "image_std"))
    torch.testing.assert_close(
        processor(image, return_tensors="pt")["pixel_values"][0].flatten(1), (small - mean) / std
    )


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("conversation", [QUESTION, CHAT, [{"role": "system", "content": "Be brief."}, *CHAT]])
def test_text_alone_is_the_language_models_own(loaded, alone, name, conversation):
    (model, processor), (language_model, tokenizer) = loaded(name), alone(name)
    for prompt in ({"add_generation_prompt": True}, {"add_generation_prompt": True, "enable_thinking": False}):
        theirs = tokenizer.apply_chat_template(conversation, tokenize=False, **prompt)
        assert processor.apply_chat_template(conversation, tokenize=False, **prompt) == theirs
    arguments = {"add_generation_prompt": True, "tokenize": True, "return_dict": True, "return_tensors": "pt"}
    inputs = processor.apply_chat_template(conversation, **arguments)
    assert torch.equal(inputs["input_ids"], tokenizer.apply_chat_template(conversation, **arguments)["input_ids"])
    with torch.no_grad():
        ours, theirs = model(**inputs).logits, language_model(**inputs).logits
    words = torch.arange(theirs.shape[-1]) != model.config.image_token_id
    assert torch.equal(ours[..., : theirs.shape[-1]][..., words], theirs[..., words])


STRANGER = """
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor
*folders, out = sys.argv[1:]
found = []
for folder in folders:
    model = AutoModelForImageTextToText.from_pretrained(folder, trust_remote_code=True)
    processor = AutoProcessor.from_pretrained(folder, trust_remote_code=True)
    for part in (model, processor):
        assert type(part).__module__.startswith("transformers_modules."), type(part)
    content = [{"type": "image", "path": "red.png"}, {"type": "text", "text": "What is this?"}]
    inputs = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True,
        return_dict=True, return_tensors="pt")
    found.append(model(**inputs).logits)
torch.save(found, out)
"""


def test_they_live_where_minigpt4_is_not_installed(assembled, loaded, stranger, image, tmp_path):
    image.save(tmp_path / "red.png")
    stranger(STRANGER, *(assembled(name)[0] for name in PAIRS), tmp_path / "out.pt")
    for name, theirs in zip(PAIRS, torch.load(tmp_path / "out.pt"), strict=True):
        model, processor = loaded(name)
        with torch.no_grad():
            assert torch.equal(model(**in_chat(processor, image)).logits, theirs)


@pytest.mark.parametrize("name", PAIRS)
def test_it_learns_in_its_own_form_and_lives_on(assembled, image, name, tmp_path):
    folder, *_ = assembled(name)
    model, processor = load(folder)
    row = {"image": image, "text": "A red ring.", "row": 0, "epoch": 0}
    for instructions in ([""], ["Describe this image in detail."]):  # stages 1 and 2
        apply_mask(model.train(), "projector")
        collator = SequenceCollator(processor, SequenceArguments(instructions=instructions, max_answer_tokens=160))
        batch = collator([row])
        learned = processor.decode(batch["input_ids"][0][batch["labels"][0] != -100])
        assert learned.endswith("A red ring." + processor.stop_strings[0])
        assert learned.replace("<think>\n\n</think>\n\n", "") == "A red ring." + processor.stop_strings[0]
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-2)
        losses = []
        for _ in range(6):
            loss = model(**{key: value for key, value in batch.items() if key != "rows"}).loss
            losses.append(loss.item())
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        assert losses[-1] < losses[0]
    model.eval()

    # It generates to its end, which is the language model's own.
    inputs = in_chat(processor, image)
    end = processor.tokenizer.convert_tokens_to_ids(processor.stop_strings[0])
    assert model.generation_config.eos_token_id in (end, [end]) or model.generation_config.eos_token_id[0] == end
    answer = three_words(model, processor, inputs)
    assert answer.tolist() == [300, 300, 300, end]
    assert "Assistant" not in processor.post_process_image_text_to_text(answer[None])[0]

    # It is saved, and loaded again, also after LoRA was merged.
    with torch.no_grad():
        logits = model(**inputs).logits
    model.save_pretrained(tmp_path / "saved")
    processor.save_pretrained(tmp_path / "saved")
    again, its_processor = load(tmp_path / "saved")
    assert torch.equal(again(**in_chat(its_processor, image)).logits, logits)
    assert verify(tmp_path / "saved", quiet=True).problems == []
    linears = r".*language_model.*\.(q_proj|v_proj)"
    lora = get_peft_model(again, LoraConfig(r=2, target_modules=linears, init_lora_weights=False)).eval()
    with torch.no_grad():
        adapted = lora(**inputs).logits
    assert not torch.allclose(adapted, logits, atol=1e-4)
    merged = lora.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    with torch.no_grad():
        found = AutoModelForImageTextToText.from_pretrained(tmp_path / "merged")(**inputs).logits
    torch.testing.assert_close(found, adapted, atol=1e-4, rtol=1e-4)


@pytest.mark.skipif(not is_bitsandbytes_available(), reason="the extra `quantization` is not installed")
@pytest.mark.parametrize("name", PAIRS)
def test_its_language_model_alone_is_quantized(assembled, loaded, image, name):
    (folder, *_), (whole, processor) = assembled(name), loaded(name)
    asked = BitsAndBytesConfig(load_in_8bit=True)
    model = AutoModelForImageTextToText.from_pretrained(folder, quantization_config=asked)
    integers = [key for key, tensor in model.state_dict().items() if tensor.dtype == torch.int8]
    assert integers
    assert all(key.startswith("model.language_model.layers.") for key in integers)
    inputs = in_chat(processor, image)
    words = torch.arange(whole.config.text_config.vocab_size) != whole.config.image_token_id
    with torch.no_grad():
        ours, exact = (each(**inputs).logits[0, -1, words].float() for each in (model, whole))
    assert torch.cosine_similarity(ours, exact, dim=0) > 0.98
    assert three_words(model, processor, inputs).tolist()[:3] == [300, 300, 300]


@pytest.mark.parametrize("text", MODELS)
@pytest.mark.parametrize("name", PAIRS)
def test_every_combination_sees_and_learns(name, text):
    from transformers import AutoConfig

    model_type, config = MODELS[text][0].model_type, MODELS[text][0].config
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    text_config = AutoConfig.for_model(
        model_type, vocab_size=60, num_key_value_heads=2, pad_token_id=0, **sizes, **config
    )
    torch.manual_seed(0)
    model = MiniGPT4ForConditionalGeneration(
        MiniGPT4Config(vision_config=tiny_tower(name), qformer_config=None, text_config=text_config)
    )
    apply_mask(model, "projector")
    ids = torch.tensor([[1, *[59] * 4, 5, 6, 7]])
    model(input_ids=ids, labels=ids, pixel_values=torch.randn(1, 3, 56, 56)).loss.backward()
    gradient = model.model.multi_modal_projector.weight.grad
    assert gradient.isfinite().all()
    assert gradient.any()


def test_a_picture_stands_where_the_users_text_begins(loaded):
    _, processor = loaded("clip")
    content = [{"type": "image"}, {"type": "text", "text": "What?"}]
    text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    assert text == "<|im_start|>user\n<Img><ImageHere></Img> What?<|im_end|>\n<|im_start|>assistant\n"
    whole = processor.tokenizer(text, return_tensors="pt")["input_ids"]
    said = processor.tokenizer("### A heading\n\nAssistant: me.<|im_end|>", return_tensors="pt")["input_ids"]
    assert processor.post_process_image_text_to_text(said) == ["### A heading\n\nAssistant: me."]
    both = processor.post_process_image_text_to_text(torch.cat((whole, said), dim=1))
    assert both[0].endswith("assistant\n ### A heading\n\nAssistant: me.")


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_preferences_are_read_in_its_own_form(loaded, image, name):
    from trl.trainer.dpo_trainer import DataCollatorForVisionPreference

    model, processor = loaded(name)
    said = {key: [{"role": "assistant", "content": f"A {key} ring."}] for key in ("chosen", "rejected")}
    batch = DataCollatorForVisionPreference(processor)([{"images": [image], "prompt": QUESTION, **said}])
    for ids, mask, key in zip(batch["input_ids"], batch["completion_mask"].bool(), said, strict=True):
        learned = processor.decode(ids[mask]).replace("<think>\n\n</think>\n\n", "").rstrip()
        assert learned == f"A {key} ring." + processor.stop_strings[0]
        assert (ids == model.config.image_token_id).sum() == processor.num_image_tokens
    assert len(batch["pixel_values"]) == 2


def test_a_qformer_over_another_tower(tower, language_model, tmp_path):
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    arguments = {"vision": tower("siglip"), "language_model": language_model("Qwen3"), "quiet": True}
    config = {"qformer_config": sizes, "num_query_tokens": 5, "vision_layer_norm": True}
    folder = assemble(**arguments, config=config, output=tmp_path / "new")
    model, processor = load(folder)
    assert processor.num_image_tokens == 5
    assert model.model.query_tokens.std() > 0
    assert torch.equal(model.model.vision_layer_norm.weight, torch.ones(32))
    other = load_file(assemble(**arguments, config=config, output=tmp_path / "other", seed=1) / "model.safetensors")
    assert not torch.equal(other["model.query_tokens"], model.model.query_tokens)
    # BLIP-2's, where widths fit: here the one just made, as a file of BLIP-2's would hold it.
    from minigpt4.conversion.names import BLIP2, rename

    parts = {rename(name, BLIP2): tensor for name, tensor in other.items() if "former" in name or "query" in name}
    save_file(parts, tmp_path / "blip2.safetensors")
    again = assemble(**arguments, config=config, output=tmp_path / "again", qformer=tmp_path / "blip2.safetensors")
    assert torch.equal(load(again)[0].model.query_tokens, other["model.query_tokens"])
    assert verify(again, qformer=tmp_path / "blip2.safetensors", quiet=True).problems == []


def test_a_family_with_another_chat(shared_files, language_model, tmp_path):
    arguments = {name: path for name, path in shared_files("llama2").arguments.items() if name != "checkpoint"}
    arguments |= {"language_model": language_model("Qwen3"), "chat": "own", "quiet": True}
    _, processor = load(assemble("llama2", **arguments, output=tmp_path / "own"))
    text = processor.apply_chat_template(QUESTION, add_generation_prompt=True)
    assert text == "<|im_start|>user\nWhat is this?<|im_end|>\n<|im_start|>assistant\n"


def test_a_tower_of_the_hub_in_pytorchs_format(hub, tower, language_model, tmp_path):
    folder = tower("clip")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    requests = hub("somebody/clip", folder)
    made = assemble(
        vision="somebody/clip", language_model=language_model("Qwen3"), output=tmp_path / "new", quiet=True
    )
    assert any("pytorch_model.bin" in request for request in requests)
    report = verify(made, vision="somebody/clip", quiet=True)
    assert report.problems == []
    assert report.components["vision tower"].compared == report.components["vision tower"].tensors


def damaged(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def without(name):
    return lambda tensors: tensors.pop(name)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("clip", without("vision_model.pre_layrnorm.weight"), r"lacks pre_layrnorm\.weight .*clip_vision_model"),
        (
            "siglip",
            without("vision_model.embeddings.patch_embedding.bias"),
            r"lacks embeddings\.patch_embedding\.bias",
        ),
        ("dinov2", lambda tensors: tensors.update(more=torch.zeros(2)), r"holds more of shape \(2,\)"),
        (
            "clip",
            lambda tensors: tensors.update({"vision_model.more": torch.zeros(2)}),
            r"holds vision_model\.more of shape \(2,\)",
        ),
    ],
)
def test_a_tower_that_does_not_fit_is_refused(tower, language_model, tmp_path, name, change, message):
    folder = damaged(tower(name), change)
    with pytest.raises(ValueError, match=message):
        assemble(vision=folder, language_model=language_model("Qwen3"), output=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_expert_that_is_missing_is_refused(tower, language_model, tmp_path):
    folder = tmp_path / "moe"
    folder.mkdir()
    for file in language_model("Qwen3-MoE").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    expert = next(name for name in load_file(folder / "model.safetensors") if ".experts.3." in name)
    damaged(folder, without(expert))
    with pytest.raises(ValueError, match="experts"):
        assemble(vision=tower("siglip"), language_model=folder, output=tmp_path / "new")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (None, r"holds no preprocessor_config\.json"),
        ({"size": 56, "image_mean": [0.5] * 3}, "does not state image_std"),
        (PREPROCESSORS["siglip"] | {"size": {"height": 56, "width": 84}}, "MiniGPT-4 needs square ones"),
        (PREPROCESSORS["siglip"] | {"rescale_factor": 1 / 127.5}, "has rescale_factor 0.0078"),
        (
            PREPROCESSORS["siglip"] | {"rescale_factor": 0.00392156862745098, "do_normalize": False},
            "do_normalize False",
        ),
        (
            PREPROCESSORS["siglip"] | {"size": 70},
            "25 patches of an image of 70 pixels cannot be merged by 4: take images of 56",
        ),
    ],
)
def test_pictures_that_cannot_be_made_are_refused(tower, language_model, tmp_path, settings, message):
    folder = tower("siglip")
    file = folder / "preprocessor_config.json"
    file.unlink() if settings is None else file.write_text(json.dumps(settings))
    with pytest.raises(ValueError, match=message):
        assemble(vision=folder, language_model=language_model("Qwen3"), output=tmp_path / "new")


def test_what_belongs_elsewhere_is_refused(tower, language_model, tmp_path):
    arguments = {"vision": tower("clip"), "language_model": language_model("Qwen3"), "output": tmp_path / "new"}
    with pytest.raises(ValueError, match=r"holds a 'clip_vision_model', but vicuna was published with EVA's"):
        assemble("vicuna", **arguments, qformer=tower("clip"))
    with pytest.raises(ValueError, match="'qwen3', which has no image_size: MiniGPT-4 needs a vision tower"):
        assemble(**{**arguments, "vision": language_model("Qwen3")})
    with pytest.raises(ValueError, match="Unknown family 'chatml'"):
        assemble(**arguments, chat="chatml")
