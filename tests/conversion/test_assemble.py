"""An untrained model around LLaMA, and around a language model with another tokenizer and a tied head."""

import json

import pytest
import torch
from helpers.published import TEXT_WIDTH
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer, Qwen2Config

import minigpt4  # noqa: F401
from minigpt4.conversion import assemble, verify
from minigpt4.training import SequenceArguments, SequenceCollator, apply_mask


SPARE_ROWS = 7


def untrained(files) -> dict:
    return {name: path for name, path in files.arguments.items() if name != "checkpoint"}


def weights(folder) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.fixture(scope="module")
def assembled(shared_files, tmp_path_factory):
    def make(family, **kwargs):
        return assemble(
            family, **{**untrained(shared_files(family)), **kwargs}, output=tmp_path_factory.mktemp("new") / "model"
        )

    return make


def test_the_card_says_that_it_is_untrained(assembled):
    card = (assembled("llama2", seed=3) / "README.md").read_text()
    assert "assemble" in card
    assert "untrained, seed 3" in card


@pytest.mark.parametrize("family", ["vicuna", "llama2", "v2"])
def test_everything_but_the_projection_is_what_is_converted(shared_files, converted, assembled, family):
    ours, theirs = weights(assembled(family)), weights(converted(family))
    assert ours.keys() == theirs.keys()
    lora = ("q_proj.weight", "v_proj.weight") if family == "v2" else ()
    differing = {name for name in ours if not torch.equal(ours[name], theirs[name]) and not name.endswith(lora or "-")}
    assert differing == {"model.multi_modal_projector.weight", "model.multi_modal_projector.bias"}


def test_the_projection_is_initialised_like_a_linear(assembled):
    first, again, other = (weights(assembled("llama2", seed=seed)) for seed in (0, 0, 1))
    weight = first["model.multi_modal_projector.weight"]
    bound = weight.shape[1] ** -0.5
    assert weight.dtype == torch.float32
    assert bound * 0.95 < weight.abs().max() <= bound
    assert torch.equal(weight, again["model.multi_modal_projector.weight"])
    assert not torch.equal(weight, other["model.multi_modal_projector.weight"])


def test_three_projection_layers(shared_files, assembled):
    config = json.loads(shared_files("llama2").config.read_text()) | {"projector_num_layers": 3}
    found = weights(assembled("llama2", config=config))
    assert found["model.multi_modal_projector.2.weight"].shape == (TEXT_WIDTH, TEXT_WIDTH)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    """A tied Qwen2 with a byte-level tokenizer, no start token, and more rows than tokens."""
    from transformers import PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("qwen")
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>", "<|im_end|>"],
    )
    backend.train_from_iterator(["A red circle left of a blue square."], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.save_pretrained(folder)
    config = Qwen2Config(
        vocab_size=len(tokenizer) + SPARE_ROWS,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        initializer_range=0.3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def test_any_language_model(assembled, qwen, picture):
    folder = assembled("vicuna", language_model=qwen)
    language_model, tokenizer = AutoModelForCausalLM.from_pretrained(qwen), AutoTokenizer.from_pretrained(qwen)
    model, processor = AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    rows = language_model.config.vocab_size
    assert model.config.image_token_id == len(tokenizer)  # one of the rows that mean nothing
    assert model.lm_head.weight.shape == (rows, 32)
    assert model.lm_head.weight is model.get_input_embeddings().weight
    assert processor.tokenizer.padding_side == "left"  # as batches of prompts need it

    ids = torch.tensor([tokenizer("A red circle")["input_ids"]])
    with torch.no_grad():
        ours, theirs = model(input_ids=ids).logits, language_model(input_ids=ids).logits
    kept = torch.arange(rows) != model.config.image_token_id
    torch.testing.assert_close(ours[..., kept], theirs[..., kept])

    content = [{"type": "image", "path": str(picture)}, {"type": "text", "text": "What is this?"}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    assert (inputs["input_ids"] == model.config.image_token_id).sum() == processor.num_image_tokens
    text = processor.tokenizer.decode(inputs["input_ids"][0], skip_special_tokens=True)
    assert text.endswith("###Human: <Img></Img> What is this?###Assistant: ")
    output = model.generate(**inputs, max_new_tokens=4, do_sample=False)
    assert output.shape[1] > inputs["input_ids"].shape[1]
    assert verify(folder, language_model=qwen).problems == []


def test_a_tied_head_that_is_stored_too(assembled, qwen, tmp_path):
    def stored(head):
        folder = tmp_path / f"llm{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        for file in qwen.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        tensors = load_file(folder / "model.safetensors")
        tensors["lm_head.weight"] = head(tensors["model.embed_tokens.weight"])
        save_file(tensors, folder / "model.safetensors")
        return folder

    same = assembled("vicuna", language_model=stored(torch.clone))
    assert "lm_head.weight" not in weights(same)
    with pytest.raises(ValueError, match=r"lm_head\.weight, which differs.*tie_word_embeddings"):
        assembled("vicuna", language_model=stored(torch.zeros_like))


def test_it_learns(assembled, picture):
    from PIL import Image

    folder = assembled("vicuna")
    model, processor = AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    apply_mask(model, "projector")
    batch = SequenceCollator(processor, SequenceArguments())([{"image": Image.open(picture), "text": "a red circle"}])
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(10):
        loss = model(**batch).loss
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0] - 0.1
