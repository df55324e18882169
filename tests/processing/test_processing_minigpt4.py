import json

import numpy as np
import PIL.Image
import pytest
import torch
from transformers import AutoProcessor, pipeline


FAMILIES = ["vicuna", "llama2", "v2"]
END = {"vicuna": "###", "llama2": "</s>", "v2": "</s>"}


@pytest.fixture
def picture():
    return PIL.Image.effect_noise((40, 30), 60).convert("RGB")


def text(words):
    return {"type": "text", "text": words}


def user(words, *images):
    return {"role": "user", "content": [*({"type": "image", "image": image} for image in images), text(words)]}


def assistant(words):
    return {"role": "assistant", "content": [text(words)]}


@pytest.fixture
def chats(picture):
    """Conversations of every shape."""
    return [
        [user("what is this?", picture)],
        [user("a red circle?", picture), assistant("a blue square."), user("and this 🙂\n")],
        [user("which", picture, picture), assistant("this image"), user("and", picture)],
        [user("no image at all")],
        [{"role": "system", "content": "Describe this."}, user("", picture)],
    ]


# Ids


@pytest.mark.parametrize(
    "prompt",
    [
        "###Human: <Img><ImageHere></Img> Describe this image in detail. ###Assistant: ",
        "[INST] <Img><ImageHere></Img> what is this  [/INST]",
        "<ImageHere>",
        " <ImageHere> \n<ImageHere><ImageHere>a <s>b</s>",
        "text alone ",
    ],
)
def test_plain_text_has_the_ids_of_the_original(processor, original_ids, picture, prompt):
    images = [picture] * prompt.count("<ImageHere>")
    assert processor(images=images, text=prompt).input_ids == [original_ids(prompt)]
    assert processor(images=images, text=[prompt]).input_ids == [original_ids(prompt)]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_chat_has_the_ids_of_the_original_in_one_step_and_in_two(make_processor, original_ids, chats, family):
    processor = make_processor(family)
    for chat in chats:
        rendered = processor.apply_chat_template(chat, add_generation_prompt=True)
        # The original puts one <s> before the first segment, whatever that begins with.
        expected = original_ids(rendered.removeprefix("<s>"))
        assert expected[:2].count(1) == (2 if family == "v2" and chat[0]["role"] != "system" else 1)
        one = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=True, return_dict=True)
        images = [item["image"] for message in chat for item in message["content"] if "image" in item]
        two = processor(images=images or None, text=rendered)
        assert one.input_ids == two.input_ids == [expected]
        assert ("pixel_values" in one) == ("pixel_values" in two) == bool(images)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_of_chats(make_processor, original_ids, chats, family):
    processor = make_processor(family)
    texts = processor.apply_chat_template(chats, add_generation_prompt=True)
    batch = processor.apply_chat_template(
        chats,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs={"padding": True},
    )
    for ids, mask, rendered in zip(batch.input_ids, batch.attention_mask, texts, strict=True):
        assert ids[mask.bool()].tolist() == original_ids(rendered.removeprefix("<s>"))
        assert mask.tolist() == sorted(mask.tolist())  # padded on the left
    assert batch.pixel_values.shape == (6, 3, 28, 28)


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("<s>###Human: <Img><ImageHere></Img> Describe this. ###Assistant: ", "The image shows a cat.###"),
        ("<s>[INST] <Img><ImageHere></Img> Describe this. [/INST] ", "The image shows a cat.</s>"),
        ("<s>[INST] <Img><ImageHere></Img> [vqa] what  [/INST]", "a cat</s>"),
    ],
)
def test_prompt_and_completion_have_the_ids_of_the_original(
    processor, original_ids, segment_ids, picture, prompt, answer
):
    prompts = processor(images=[[picture]], text=[prompt], add_special_tokens=False)
    completions = processor(text=[answer], add_special_tokens=False)
    assert prompts.input_ids == [original_ids(prompt.removeprefix("<s>"))]
    assert completions.input_ids == [segment_ids(answer)]


def test_the_start_token_is_neither_doubled_nor_lost(processor):
    rows = processor(text=["<s>a cat", "a cat", "<s><s>a cat"]).input_ids
    assert [row.count(1) for row in rows] == [1, 1, 2]
    assert rows[0] == rows[1]
    for kwargs in ({"add_special_tokens": False}, {"text_kwargs": {"add_special_tokens": False}}):
        assert processor(text=["<s>a cat"], **kwargs).input_ids == [rows[0]]
        assert processor(text=["a cat"], **kwargs).input_ids == [rows[0][1:]]
    assert processor(text=["<s>a cat"], add_special_tokens=True).input_ids == [[1, *rows[0]]]


# The loss on answers


@pytest.mark.parametrize("family", FAMILIES)
def test_the_assistant_mask_covers_answers_and_their_end(make_processor, picture, family):
    processor = make_processor(family)
    chat = [user("a", picture), assistant("a red circle"), user("b", picture), assistant("a blue square")]
    inputs = processor.apply_chat_template(
        chat, tokenize=True, return_dict=True, return_assistant_tokens_mask=True, return_tensors="pt"
    )
    ids, mask = inputs["input_ids"][0], inputs["assistant_masks"][0].bool()
    middle = "###" if family == "vicuna" else ""
    decoded = processor.decode(ids[mask])
    assert decoded.replace(" ", "") == f"aredcircle{middle}abluesquare{END[family]}"
    assert mask[-1]
    assert not mask[ids == processor.image_token_id].any()


# Images


def test_images_in_every_layout(processor, picture, tmp_path):
    picture.save(tmp_path / "a.png")
    one = processor(images=picture, text="<ImageHere>", return_tensors="pt")
    assert one.input_ids.tolist() == [[1, *[processor.image_token_id] * 4]]
    layouts = [
        (tmp_path / "a.png", ["<ImageHere>"]),
        ([picture, str(tmp_path / "a.png")], ["<ImageHere>", "<ImageHere>"]),
        ([[picture], [np.asarray(picture)]], ["<ImageHere>", "<ImageHere>"]),
        ([[picture, picture], [], [picture]], ["<ImageHere><ImageHere>", "a cat", "<ImageHere>"]),
    ]
    for images, prompts in layouts:
        inputs = processor(images=images, text=prompts, padding=True, return_tensors="pt")
        count = sum(prompt.count("<ImageHere>") for prompt in prompts)
        torch.testing.assert_close(inputs.pixel_values, one.pixel_values.expand(count, -1, -1, -1))
        assert (inputs.input_ids == processor.image_token_id).sum() == 4 * count


@pytest.mark.parametrize("images", [None, [], [[], []]])
def test_text_alone(processor, original_ids, images):
    inputs = processor(images=images, text=["a cat", "a red circle"])
    assert inputs.input_ids == [original_ids("a cat"), original_ids("a red circle")]
    assert "pixel_values" not in inputs


def test_images_alone_give_pixels(processor, picture):
    inputs = processor(images=[picture, picture], return_tensors="pt")
    assert list(inputs) == ["pixel_values"]
    assert inputs.pixel_values.shape == (2, 3, 28, 28)


@pytest.mark.parametrize(
    ("prompts", "counts", "message"),
    [
        ("<ImageHere><ImageHere>", [1], "2 <ImageHere> tokens and 1 images"),
        ("a cat", [1], "0 <ImageHere> tokens and 1 images"),
        ("<ImageHere>", None, "1 <ImageHere> tokens in the text but no images"),
        (["<ImageHere>", "<ImageHere>"], [[1], []], "Row 1 has 1 <ImageHere> in its text, but 0 images"),
        (["a", "<ImageHere>"], [[1], []], "Row 0 has 0 <ImageHere> in its text, but 1 images"),
        ("", None, "The text of row 0 is empty"),
        (["a", " \n"], None, "The text of row 1 is empty"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_numbers(processor, picture, prompts, counts, message):
    images = counts and [[picture] * len(row) if isinstance(row, list) else picture for row in counts]
    with pytest.raises(ValueError, match=message):
        processor(images=images, text=prompts)


def test_errors_of_a_picture_come_through(processor, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No image file at .*no\.png"):
        processor(images=tmp_path / "no.png", text="<ImageHere>")
    (tmp_path / "notes.png").write_text("not a picture")
    chat = [{"role": "user", "content": [{"type": "image", "path": str(tmp_path / "notes.png")}]}]
    with pytest.raises(ValueError, match=r"notes\.png is not an image"):
        processor.apply_chat_template(chat, tokenize=True)


# Length


def test_truncation_takes_text_and_never_a_part_of_an_image(processor, picture):
    whole = processor(images=picture, text="<ImageHere> a red circle").input_ids[0]
    for length in range(5, len(whole)):
        inputs = processor(images=picture, text="<ImageHere> a red circle", truncation=True, max_length=length)
        assert inputs.input_ids == [whole[:length]]
    with pytest.raises(ValueError, match="Truncation to 4 tokens would leave 3 of the 4 image tokens of row 0"):
        processor(images=picture, text="<ImageHere> a red circle", truncation=True, max_length=4)
    with pytest.raises(ValueError, match="would leave 0 of the 4 image tokens of row 1"):
        processor(
            images=picture, text=["a cat", "a red circle <ImageHere>"], truncation=True, max_length=5, padding=True
        )


def test_padding_on_either_side(processor):
    for side, place in (("left", 0), ("right", -1)):
        inputs = processor(text=["a", "a red circle"], padding=True, padding_side=side)
        assert inputs.attention_mask[0][place] == 0
        assert inputs.input_ids[0][place] == processor.tokenizer.pad_token_id
    assert processor(text=["a", "a red circle"], padding=True).attention_mask[0][0] == 0


# What engines and trainers ask for


def test_tokens_of_each_kind(processor, picture):
    inputs = processor(images=picture, text="a <ImageHere> b", return_mm_token_type_ids=True)
    assert inputs.mm_token_type_ids[0] == [int(token == processor.image_token_id) for token in inputs.input_ids[0]]
    assert sum(inputs.mm_token_type_ids[0]) == 4
    assert "mm_token_type_ids" not in processor(images=picture, text="a <ImageHere> b")


def test_tokens_per_image_without_an_image(processor):
    data = processor._get_num_multimodal_tokens(image_sizes=[(10, 2000), (30, 40)])
    assert (data.num_image_tokens, data.num_image_patches) == ([4, 4], [1, 1])
    assert processor._get_num_multimodal_tokens().num_image_tokens is None


def test_names_of_the_inputs(processor):
    assert set(processor.model_input_names) >= {"input_ids", "attention_mask", "pixel_values"}
    assert processor.image_token == "<ImageHere>"
    assert processor.image_token_id == processor.tokenizer.image_token_id


def test_a_processor_that_could_not_work_is_refused(make_processor, processor):
    with pytest.raises(ValueError, match=r"num_image_tokens must be at least 1 \(got 0\)"):
        make_processor(num_image_tokens=0)
    processor.tokenizer.image_token = "<picture>"
    with pytest.raises(ValueError, match="no token '<picture>' for images"):
        type(processor)(processor.image_processor, processor.tokenizer)


# Answers


@pytest.mark.parametrize(
    ("generated", "answer"),
    [
        ("a cat.###", "a cat."),
        (" a cat.\n</s>", "a cat."),
        ("a cat. ### Human: and?###", "a cat."),
        ("a cat.", "a cat."),
        ("###", ""),
        ("", ""),
    ],
)
def test_an_answer_ends_at_its_end(processor, generated, answer):
    ids = processor.tokenizer(generated, add_special_tokens=False).input_ids
    padded = ids + [processor.tokenizer.pad_token_id] * 3
    assert processor.post_process_image_text_to_text(torch.tensor([padded])) == [answer]
    assert processor.post_process_image_text_to_text(np.array([padded])) == [answer]
    assert processor.post_process_image_text_to_text(padded) == answer
    assert processor.post_process_image_text_to_text([padded], skip_special_tokens=False)[0].startswith(answer)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_is_cut_as_published_in_every_family(make_processor, family):
    """At `###`, and what comes before `Assistant:` goes."""
    processor = make_processor(family, stop_strings=["###", "</s>"] if family == "vicuna" else ["</s>"])
    ids = processor.tokenizer("Human: x Assistant: a cat. ### Human: y</s>", add_special_tokens=False).input_ids
    assert processor.post_process_image_text_to_text([ids]) == ["a cat."]
    prompt = processor.tokenizer(f"<s>[INST] A cat? [/INST] yes.{END[family]}").input_ids
    assert processor.post_process_image_text_to_text([prompt]) == ["[INST] A cat? [/INST] yes."]


@pytest.mark.parametrize(
    ("written", "decoded"),
    [
        ("a cat.###</s>", "a cat."),
        ("a cat. ###</s>", "a cat."),
        ("a cat\n###</s>", "a cat\n"),
        ("a ### cat.###</s>", "a ### cat."),
        ("a cat.###", "a cat.###"),
        ("a cat.### no</s>", "a cat.### no"),
        ("a cat ##</s>", "a cat ##"),
        ("###</s>", ""),
        ("", ""),
    ],
)
def test_decoding_leaves_out_a_mark_before_the_end(processor, written, decoded):
    """Of whatever form ids are given in, and nothing else of the text."""
    ids = processor.tokenizer(written, add_special_tokens=False).input_ids
    padded = ids + [processor.tokenizer.pad_token_id] * 2
    for form in (padded, np.array(padded), torch.tensor(padded)):
        assert processor.decode(form, skip_special_tokens=True).rstrip(" ") == decoded
        assert processor.batch_decode([form] * 2, skip_special_tokens=True)[1].rstrip(" ") == decoded
    assert processor.batch_decode(torch.tensor([padded]), skip_special_tokens=True)[0].rstrip(" ") == decoded
    assert processor.decode(ids).rstrip(" ") == written
    assert [text.rstrip(" ") for text in processor.batch_decode([ids])] == [written]


def test_only_the_checkpoints_own_mark_is_left_out(make_processor):
    processor = make_processor("llama2", stop_strings=["</s>"])
    ids = processor.tokenizer("a title ###</s>", add_special_tokens=False).input_ids
    assert processor.decode(ids, skip_special_tokens=True) == "a title ###"


def test_where_an_answer_starts_is_saved_with_the_chat_form(make_processor, tmp_path):
    make_processor(
        "vicuna", chat_template="{{ '<s>' + messages[0].content + '\\nBot>' }}", answer_starts=["Bot>"]
    ).save_pretrained(tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    chat = processor.tokenizer("<s>[INST] Which? [/INST]\nBot> A cat. ### You?").input_ids
    assert processor.post_process_image_text_to_text([chat]) == ["[INST] Which? [/INST]\nBot> A cat."]


def test_checkpoints_of_before_know_the_published_chat_forms(make_processor, tmp_path):
    make_processor("llama2").save_pretrained(tmp_path)
    file = tmp_path / "processor_config.json"
    settings = json.loads(file.read_text())
    assert settings.pop("answer_starts") == ["###Assistant:", "[/INST]"]
    file.write_text(json.dumps(settings))
    processor = AutoProcessor.from_pretrained(tmp_path)
    chat = processor.tokenizer("<s>[INST] Which? [/INST] A cat. ### You?").input_ids
    assert processor.post_process_image_text_to_text([chat]) == ["[INST] Which? [/INST] A cat."]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_whole_sequence_keeps_its_prompt(make_processor, chats, family):
    processor = make_processor(family)
    for chat in chats:
        prompt = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=True, return_dict=True)
        prompt = [processor.tokenizer.pad_token_id] * 2 + prompt.input_ids[0]
        answer = processor.tokenizer(f"a red circle.{END[family]}", add_special_tokens=False).input_ids
        begin, whole = processor.post_process_image_text_to_text([prompt, prompt + answer])
        assert whole == begin + "a red circle."  # so the pipeline finds the answer by the prompt before it


def test_a_plain_prompt_is_kept_too(processor):
    ids = processor.tokenizer("a cat").input_ids
    assert processor.post_process_image_text_to_text([ids]) == ["a cat"]
    ids = processor.tokenizer("a cat sat.###").input_ids
    assert processor.post_process_image_text_to_text([ids]) == ["a cat sat."]


@pytest.mark.parametrize("full", [False, True])
def test_the_pipeline_gives_the_answer_alone(tiny_checkpoint, picture, full):
    describe = pipeline("image-text-to-text", model=str(tiny_checkpoint), device="cpu")
    processor, model = describe.processor, describe.model
    chat = [user("what is this?", picture)]
    inputs = processor.apply_chat_template(
        chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    rows = model.generate(**inputs, tokenizer=processor.tokenizer)[:, inputs.input_ids.shape[1] :]
    (expected,) = processor.post_process_image_text_to_text(rows)
    assert expected
    (result,) = describe(text=chat, return_full_text=full)
    found = result["generated_text"][-1]["content"] if full else result["generated_text"]
    assert found == expected


# Saving


def test_saved_and_loaded_in_a_fresh_process_it_is_the_same(make_processor, picture, fresh, tmp_path):
    make_processor("v2", num_image_tokens=5, stop_strings=["</s>"]).save_pretrained(tmp_path)
    picture.save(tmp_path / "picture.png")
    code = """
import json, sys, minigpt4
from transformers import AutoProcessor
processor = AutoProcessor.from_pretrained(sys.argv[1])
content = [{"type": "image", "path": sys.argv[1] + "/picture.png"}, {"type": "text", "text": " two  spaces </s>"}]
inputs = processor.apply_chat_template([{"role": "user", "content": content}], tokenize=True, return_dict=True)
print(json.dumps([type(processor).__name__, processor.stop_strings, processor.tokenizer.padding_side, inputs.input_ids]))
"""
    run = fresh(code, tmp_path)
    assert run.stderr == ""
    name, stop_strings, side, ids = json.loads(run.stdout)
    assert (name, stop_strings, side) == ("MiniGPT4Processor", ["</s>"], "left")
    processor = make_processor("v2", num_image_tokens=5)
    assert ids == processor.apply_chat_template([user(" two  spaces </s>", picture)], tokenize=True)


def test_it_travels_as_remote_code(make_processor, stranger, tmp_path, monkeypatch):
    """Where the package is not installed, the files saved beside the checkpoint are enough."""
    processor = make_processor()
    for part in (processor, processor.image_processor):
        monkeypatch.setattr(type(part), "_auto_class", None)
        type(part).register_for_auto_class()
    processor.save_pretrained(tmp_path / "checkpoint")
    code = """
from PIL import Image
from transformers import AutoProcessor
processor = AutoProcessor.from_pretrained(sys.argv[1], trust_remote_code=True)
print(processor(images=Image.new("L", (9, 9)), text="a <ImageHere>").input_ids)
"""
    ids = json.loads(stranger(code, tmp_path / "checkpoint"))
    assert ids == processor(images=PIL.Image.new("L", (9, 9)), text="a <ImageHere>").input_ids
