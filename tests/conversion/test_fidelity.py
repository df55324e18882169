"""What comes out of conversion computes what the published models compute."""

import pytest
import torch
from helpers.restatement import IGNORED, Original
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

import minigpt4  # noqa: F401
from minigpt4.training import SequenceArguments, SequenceCollator, apply_mask


FAMILIES = ("vicuna", "llama2", "v2")
TOLERANCE = {"atol": 1e-4, "rtol": 1e-4}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def original(family, shared_files) -> Original:
    return Original(shared_files(family))


@pytest.fixture(scope="module")
def processor(family, converted):
    return AutoProcessor.from_pretrained(converted(family))


@pytest.fixture(scope="module")
def model(family, converted):
    return AutoModelForImageTextToText.from_pretrained(converted(family))


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    noise = torch.Generator().manual_seed(0)
    sizes = ((61, 83), (130, 47), (112, 112))
    return [
        Image.fromarray(torch.randint(256, (height, width, 3), dtype=torch.uint8, generator=noise).numpy())
        for height, width in sizes
    ]


def message(role: str, text: str, image=None) -> dict:
    content = [{"type": "text", "text": text}]
    return {"role": role, "content": [{"type": "image", "image": image}, *content] if image is not None else content}


def chats(images) -> list[list[dict]]:
    return [
        [message("user", "Describe this image.", images[0])],
        [
            message("user", "what is this {<12><5><88><97>}", images[1]),
            message("assistant", "A  cat, 3 dogs."),
            message("user", "And what else?"),
        ],
        [message("user", " two   spaces ", images[2])],
    ]


TURNS = [
    ["Describe this image."],
    ["what is this {<12><5><88><97>}", "A  cat, 3 dogs.", "And what else?"],
    [" two   spaces "],
]


def with_placeholders(segments: list[list[int]], processor) -> list[int]:
    """Ids of ours: an image's placeholders between each two segments."""
    ids = list(segments[0])
    for segment in segments[1:]:
        ids += [processor.tokenizer.image_token_id] * processor.num_image_tokens + segment
    return ids


def prompts(processor, images, padding_side="left"):
    return processor.apply_chat_template(
        chats(images),
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs={"padding": True, "padding_side": padding_side},
    )


def test_prompt_ids(original, processor, images):
    inputs = prompts(processor, images)
    for row, mask, turns in zip(inputs["input_ids"], inputs["attention_mask"], TURNS, strict=True):
        expected = with_placeholders(original.segments(original.chat(*turns)), processor)
        assert row[mask.bool()].tolist() == expected


def test_pixels(original, processor, images):
    torch.testing.assert_close(prompts(processor, images)["pixel_values"], original.pixels(images), atol=1e-6, rtol=0)


def test_image_embeddings(original, model, images):
    pixels = original.pixels(images)
    with torch.no_grad():
        ours = model.get_image_features(pixels).pooler_output
        theirs = original.image_embeddings(pixels)
    assert theirs.std() > 0.1
    torch.testing.assert_close(torch.stack(ours), theirs, **TOLERANCE)


@pytest.mark.parametrize("padding_side", ["left", "right"])
def test_logits(original, processor, model, images, padding_side):
    inputs = prompts(processor, images, padding_side)
    with torch.no_grad():
        logits = model(**inputs).logits
        embeddings = original.image_embeddings(original.pixels(images))
        for row, mask, image, turns in zip(logits, inputs["attention_mask"], embeddings, TURNS, strict=True):
            text = original.embed(original.segments(original.chat(*turns)), image[None])
            theirs = original.llama(inputs_embeds=text[None]).logits[0]
            torch.testing.assert_close(row[mask.bool()][:, : theirs.shape[1]], theirs, **TOLERANCE)
    assert (logits.softmax(-1)[..., processor.tokenizer.image_token_id] == 0).all()


INSTRUCTION = "Describe this image in detail."
ANSWERS = ["The image shows a red circle.", "3 cats", "a photo of 27 dogs and  two   spaces left of a blue square."]
# Family, form -> the prompt around the image, what ends an answer, and how many tokens of it are kept.
FORMS = {
    **{(family, "stage 1"): ("<ImageHere>", "\n", 9) for family in FAMILIES},
    ("vicuna", "stage 2"): (f"###Human: <Img><ImageHere></Img> {INSTRUCTION} ###Assistant: ", "###", 20),
    ("llama2", "stage 2"): (f"[INST] <Img><ImageHere></Img> {INSTRUCTION} [/INST] ", "</s>", 20),
    ("v2", "instruction"): (f"[INST] <Img><ImageHere></Img> [caption] {INSTRUCTION}  [/INST]", "</s>", 1024),
}


@pytest.mark.parametrize(("family", "form"), FORMS, indirect=["family"])
def test_training_losses_and_gradients(original, processor, model, images, family, form):
    prompt, end, limit = FORMS[family, form]
    collate = SequenceCollator(processor, SequenceArguments([prompt], end, limit))
    batch = collate([{"image": image, "text": answer} for image, answer in zip(images, ANSWERS, strict=True)])
    apply_mask(model, "projector")
    model.train()
    loss = model(**batch).loss
    weight, bias = torch.autograd.grad(
        loss, [model.model.multi_modal_projector.weight, model.model.multi_modal_projector.bias]
    )
    model.eval()

    rows, expected_ids = [], []
    # Without text around the image there is nothing to tokenize: an empty segment has no tokens.
    segments = original.segments(prompt)
    # The same features for both: gradients of a random language model magnify the rounding of two towers a thousand times.
    with torch.no_grad():
        features = model.model.get_vision_features(batch["pixel_values"]).pooler_output
    for image, answer in zip(original.project(features), ANSWERS, strict=True):
        answer_ids = original.ids(answer + end)[:limit]
        rows.append((image, [*segments, answer_ids], [False, False, True]))
        expected_ids.append(with_placeholders(segments, processor) + answer_ids)
    theirs = original.loss(rows)
    for ids, mask, labels, expected, row in zip(
        batch["input_ids"], batch["attention_mask"], batch["labels"], expected_ids, rows, strict=True
    ):
        assert ids[mask.bool()].tolist() == expected
        assert labels[labels != IGNORED].tolist() == row[1][-1]
    torch.testing.assert_close(loss, theirs, **TOLERANCE)
    for ours, their in zip((weight, bias), torch.autograd.grad(theirs, original.projection), strict=True):
        torch.testing.assert_close(ours, their, **TOLERANCE)


@pytest.mark.parametrize("family", ["v2"], indirect=True)
def test_conversation_loss(original, processor, model, images, family):
    turns = [["what is this", "A red circle.", "And what else?", "3 cats"], ["[vqa] how many", "27 dogs"]]
    rows = []
    for index, texts in enumerate(turns):
        roles = ["user", "assistant"] * (len(texts) // 2)
        chat = [message(role, text) for role, text in zip(roles, texts, strict=True)]
        chat[0]["content"].insert(0, {"type": "image"})
        rows.append({"image": images[index], "messages": chat})
    batch = SequenceCollator(processor, SequenceArguments(training_template="v2"))(rows)

    expected = []
    embeddings = original.image_embeddings(original.pixels(images[:2]))
    for texts, ids, mask, image in zip(turns, batch["input_ids"], batch["attention_mask"], embeddings, strict=False):
        question, answer, *more = texts
        segments = original.segments(f"[INST] <Img><ImageHere></Img> {question}  [/INST]")
        rest = [f"{answer}</s>"]
        for question, answer in zip(more[::2], more[1::2], strict=True):
            rest += [f"<s>[INST] {question}  [/INST]", f"{answer}</s>"]
        rest = [original.ids(text) for text in rest]
        assert ids[mask.bool()].tolist() == with_placeholders(segments, processor) + [i for ids in rest for i in ids]
        expected.append((image, [*segments, *rest], [False, False, *([True, False] * len(rest))[: len(rest)]]))
    with torch.no_grad():
        torch.testing.assert_close(model(**batch).loss, original.loss(expected), **TOLERANCE)


@pytest.mark.parametrize("num_beams", [1, 3])
def test_answers(original, processor, model, images, num_beams):
    settings = {"max_new_tokens": 12, "do_sample": False, "num_beams": num_beams, "repetition_penalty": 1.05}
    inputs = prompts(processor, images)
    ours = model.generate(**inputs, **settings, tokenizer=processor.tokenizer)[:, inputs["input_ids"].shape[1] :]
    with torch.no_grad():
        embeddings = original.image_embeddings(original.pixels(images))
        for answer, image, turns in zip(ours, embeddings, TURNS, strict=True):
            text = original.embed(original.segments(original.chat(*turns)), image[None])
            theirs = original.llama.generate(
                inputs_embeds=text[None],
                attention_mask=torch.ones(1, len(text), dtype=torch.long),
                pad_token_id=0,
                eos_token_id=2,
                **settings,
            )[0]
            assert answer[answer != processor.tokenizer.pad_token_id].tolist() == theirs.tolist()
