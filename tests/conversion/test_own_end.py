"""Around any language model, answers end in that model's own end token: in recipes, in chats, and after training."""

import json

import pytest
from helpers.language_models import LANGUAGE_MODELS, write_language_model
from helpers.published import write_tokenizer as write_llama_tokenizer
from PIL import Image
from sentencepiece import SentencePieceProcessor
from transformers import AutoModelForImageTextToText, AutoProcessor, GenerationConfig, LlamaConfig
from transformers.utils.chat_template_utils import render_jinja_template

import minigpt4  # noqa: F401
from minigpt4.conversion import assemble
from minigpt4.conversion.tokenizer import load_tokenizer
from minigpt4.processing import MiniGPT4ImageProcessorPil, MiniGPT4Processor, chat_template
from minigpt4.training import SequenceArguments, SequenceCollator, load_recipe, read_recipe, training_template
from minigpt4.training.run import run
from minigpt4.training.sequences.answer_ends import AnswerEnds


PADDING = {
    "Qwen3": "<|endoftext|>",
    "Qwen3-Base": "<|video_pad|>",
    "Llama-3-Instruct": "<|reserved_special_token_2|>",
    "Llama-3": "<|reserved_special_token_2|>",
    "Gemma-3-it": "<pad>",
    "Phi-4": "<|dummy_87|>",
    "OLMo-2": "<|pad|>",
    "OLMo": "<|padding|>",
    "gpt-oss": "<|endoftext|>",
}
TEXTS = {"red": "A red circle.", "blue": "A blue square, and nothing else at all."}
QUESTION = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is this?"}]}
ANSWER = {"role": "assistant", "content": [{"type": "text", "text": "A red circle."}]}
CHAT = [QUESTION, ANSWER, {"role": "user", "content": [{"type": "text", "text": "Sure?"}]}, ANSWER]


@pytest.fixture(scope="module")
def around(shared_files, tmp_path_factory):
    """The folder that is assembled around a small language model; read it only."""
    places, made = {}, {}

    def folder(name: str, family: str = "llama2"):
        if name not in places:
            places[name] = write_language_model(tmp_path_factory.mktemp("llm") / name, LANGUAGE_MODELS[name])
        if (name, family) not in made:
            arguments = {**shared_files(family).arguments, "language_model": places[name]}
            del arguments["checkpoint"]
            output = tmp_path_factory.mktemp("around") / name
            made[name, family] = assemble(family, **arguments, output=output, quiet=True)
        return made[name, family]

    return folder


@pytest.fixture(params=LANGUAGE_MODELS)
def name(request):
    return request.param


def row(colour: str) -> dict:
    return {"image": Image.new("RGB", (56, 56), colour), "text": TEXTS[colour]}


def test_padding_is_no_end(around, name):
    tokenizer = AutoProcessor.from_pretrained(around(name)).tokenizer
    assert (tokenizer.eos_token, tokenizer.pad_token) == (LANGUAGE_MODELS[name].end, PADDING[name])
    assert tokenizer.bos_token == (LANGUAGE_MODELS[name].settings.get("bos_token") or tokenizer.eos_token)


def test_all_ends_of_the_language_model_end_answers(around, name):
    folder, model = around(name), LANGUAGE_MODELS[name]
    tokenizer = AutoProcessor.from_pretrained(folder).tokenizer
    expected = tokenizer.convert_tokens_to_ids(sorted(model.ends, key=lambda end: end != model.end))
    for saved in (
        GenerationConfig.from_pretrained(folder),
        AutoModelForImageTextToText.from_pretrained(folder).generation_config,
    ):
        assert saved.eos_token_id == (expected if len(expected) > 1 else expected[0])  # the own one first
        assert saved.pad_token_id == tokenizer.pad_token_id


@pytest.mark.parametrize(
    ("family", "recipe"),
    [
        ("llama2", "stage2-llama2"),
        ("llama2", "own-folder"),
        ("llama2", "lora"),
        ("v2", "v2-stage1"),
        ("v2", "v2-stage3"),
    ],
)
def test_recipes_teach_the_own_end(around, name, family, recipe):
    processor = AutoProcessor.from_pretrained(around(name, family))
    _, sequence = load_recipe(recipe, bf16=False, use_cpu=True)
    batch = SequenceCollator(processor, sequence)([row("red"), row("blue")])
    for labels, text in zip(batch["labels"], TEXTS.values(), strict=True):
        learned = labels[labels != -100]
        assert processor.tokenizer.decode(learned) == text + LANGUAGE_MODELS[name].end
        assert learned[-1] == processor.tokenizer.eos_token_id
        assert processor.tokenizer.eos_token_id not in learned[:-1]


@pytest.mark.parametrize("form", ["llama2", "v2"])
def test_chats_begin_and_end_as_the_language_model_has_it(around, name, form):
    processor = AutoProcessor.from_pretrained(around(name, form))
    tokenizer = processor.tokenizer
    collate = SequenceCollator(processor, SequenceArguments(training_template=form))
    batch = collate([{"images": [row("red")["image"]], "messages": CHAT}])
    ids, labels = batch["input_ids"][0].tolist(), batch["labels"][0].tolist()
    assert ids[0] == tokenizer.bos_token_id
    learned = [token for token in labels if token != -100]
    assert learned.count(tokenizer.eos_token_id) == 2  # of both answers
    assert learned[-1] == tokenizer.eos_token_id

    ids = processor.apply_chat_template(CHAT, tokenize=False)
    ids = tokenizer(ids, add_special_tokens=False)["input_ids"]
    assert (ids[0], ids[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)


@pytest.mark.parametrize("form", ["vicuna", "llama2", "v2"])
@pytest.mark.parametrize("read", [chat_template, training_template])
def test_a_chat_without_a_start_token(form, read):
    def render(**tokens):
        [text], _ = render_jinja_template([CHAT], chat_template=read(form), eos_token="<end>", **tokens)
        return text

    assert render() == render(bos_token=None) == render(bos_token="<start>").replace("<start>", "")


@pytest.mark.parametrize(
    ("name", "family", "recipe"),
    [
        ("Qwen3", "vicuna", "stage2"),
        ("Qwen3-Base", "llama2", "stage2-llama2"),
        ("Llama-3-Instruct", "llama2", "stage2-llama2"),
        ("gpt-oss", "v2", "v2-stage1"),
    ],
)
def test_answers_end_after_training(around, name, family, recipe, tmp_path):
    data = tmp_path / "pictures"
    data.mkdir()
    for colour in TEXTS:
        row(colour)["image"].save(data / f"{colour}.png")
    lines = [json.dumps({"file_name": f"{colour}.png", "text": text}) for colour, text in TEXTS.items()]
    (data / "metadata.jsonl").write_text("\n".join(lines))
    settings = {
        "learning_rate": 5e-3,
        "min_lr": 1e-4,
        "warmup_steps": 5,
        "max_steps": 80,
        "mask": "all",
        "save": "full",
    }
    settings |= {
        "bf16": False,
        "max_grad_norm": 1.0,
        "use_peft": False,
        "save_strategy": "no",
        "disable_tqdm": True,
        "per_device_train_batch_size": 2,
        "dataloader_num_workers": 0,
    }
    folder = run(
        read_recipe(
            recipe,
            model_name_or_path=str(around(name, family)),
            data=str(data),
            output_dir=str(tmp_path / "run"),
            **settings,
        )
    )
    model, processor = AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    prompt = processor.tokenizer.bos_token + read_recipe(recipe).sequence.prompts[0]
    inputs = processor(
        images=[row(colour)["image"] for colour in TEXTS], text=[prompt] * 2, padding=True, return_tensors="pt"
    )
    output = model.generate(**inputs, do_sample=False, repetition_penalty=1.0, max_new_tokens=60)
    output = output[:, inputs["input_ids"].shape[1] :].tolist()
    tokenizer = processor.tokenizer
    for ids, text in zip(output, TEXTS.values(), strict=True):
        answer = [token for token in ids if token != tokenizer.pad_token_id]
        assert answer[-1] == tokenizer.eos_token_id
        assert processor.decode(answer, skip_special_tokens=True) == text
    assert processor.post_process_image_text_to_text(output) == list(TEXTS.values())


def test_a_whole_sequence_is_known_by_its_start_where_padding_is_the_start(around):
    """As in folders that were assembled around Llama 3 before padding got a token of its own."""
    processor = AutoProcessor.from_pretrained(around("Llama-3", "vicuna"))
    processor.tokenizer.pad_token = processor.tokenizer.bos_token
    prompt = "###Human: Hello###Assistant: "
    ids = processor(text=[f"{prompt}Hi.", f"A much longer text. {prompt}Hi."], padding=True)["input_ids"]
    assert ids[0][:2] == [processor.tokenizer.bos_token_id] * 2
    assert processor.post_process_image_text_to_text(ids) == [f"{prompt}Hi.", f"A much longer text. {prompt}Hi."]


@pytest.mark.parametrize("end", ["</s>", "<|eot_id|>", "</s>\n"])
def test_the_end_of_another_model_is_not_learned_as_letters(around, end):
    processor = AutoProcessor.from_pretrained(around("Qwen3"))
    with pytest.raises(ValueError, match=r"answer_end is .* letter by letter: .* own end, '<\|im_end\|>'") as error:
        SequenceCollator(processor, SequenceArguments(answer_end=end))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("end", ["<|im_end|>", "###", "\n", "<|im_end|>\n", ""])
def test_an_end_can_be_spelled_out(around, end):
    processor = AutoProcessor.from_pretrained(around("Qwen3"))
    batch = SequenceCollator(processor, SequenceArguments(answer_end=end))([row("red")])
    assert processor.tokenizer.decode(batch["labels"][batch["labels"] != -100]) == TEXTS["red"] + end


def test_the_mark_of_the_chat_form_is_the_own_end_where_there_is_one(around):
    """In tokens of its own, by which generation knows it: these tokenizers have one for `.###`."""
    folder = around("Qwen3", "vicuna")
    processor, ends = AutoProcessor.from_pretrained(folder), GenerationConfig.from_pretrained(folder).end_sequences
    whole = processor.tokenizer("A red circle.###", add_special_tokens=False)["input_ids"]
    assert not any(whole[-len(end) :] == end for end in ends)
    _, sequence = load_recipe("stage2", bf16=False, use_cpu=True)
    collate = SequenceCollator(processor, sequence)
    chat = {"images": [row("red")["image"]], "messages": [QUESTION, ANSWER]}
    for each in (row("red"), chat):
        batch = collate([each])
        learned = batch["labels"][batch["labels"] != -100].tolist()
        assert processor.tokenizer.decode(learned) == "A red circle.###"
        assert any(learned[-len(end) :] == end for end in ends)


@pytest.mark.parametrize("pad", [None, "<|endoftext|>"])
def test_padding_that_is_the_end_is_refused_where_there_is_no_other(shared_files, tmp_path, pad):
    model = LANGUAGE_MODELS["OLMo"]
    model = type(model)(
        model.model_type,
        ("<|endoftext|>",),
        {**model.settings, "pad_token": pad, "unk_token": "<|endoftext|>"},
        model.ends,
    )
    folder = write_language_model(tmp_path / "llm", model)
    arguments = {**shared_files("llama2").arguments, "language_model": folder}
    del arguments["checkpoint"]
    why = "pads with its end token" if pad else "has no padding token"
    with pytest.raises(ValueError, match=rf"{why} \('<\|endoftext\|>' ends answers\).* set pad_token") as error:
        assemble("llama2", **arguments, output=tmp_path / "out", quiet=True)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_generation_config_that_is_no_object(shared_files, tmp_path):
    folder = write_language_model(tmp_path / "llm", LANGUAGE_MODELS["OLMo"])
    (folder / "generation_config.json").write_text("[1]")
    arguments = {**shared_files("llama2").arguments, "language_model": folder}
    del arguments["checkpoint"]
    with pytest.raises(ValueError, match=r"generation_config\.json is not a JSON object"):
        assemble("llama2", **arguments, output=tmp_path / "out", quiet=True)


@pytest.mark.parametrize("named", ["<|im_end|>", {"__type": "AddedToken", "content": "<|im_end|>"}, "", None])
def test_a_model_on_the_pieces_of_llama_keeps_an_end_of_its_own(tmp_path, named):
    """The first Vicuna's settings name an empty one, and mean LLaMA's."""
    file = write_llama_tokenizer(tmp_path)
    pieces = SentencePieceProcessor(str(file)).get_piece_size()
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<|im_end|>": pieces}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": named}))
    tokenizer = load_tokenizer(tmp_path, LlamaConfig(vocab_size=pieces + 1))
    assert tokenizer.eos_token == ("<|im_end|>" if named else "</s>")
    assert tokenizer("A cat.<|im_end|>")["input_ids"][-1] == pieces
    if named:  # where </s> is a piece that no text is cut into
        with pytest.raises(ValueError, match="letter by letter"):
            AnswerEnds(MiniGPT4Processor(MiniGPT4ImageProcessorPil(), tokenizer)).choose("</s>")
    (tmp_path / "tokenizer_config.json").write_text("[]")
    with pytest.raises(ValueError, match=r"tokenizer_config\.json is not a JSON object"):
        load_tokenizer(tmp_path, LlamaConfig(vocab_size=pieces + 1))
