"""Rows with messages: the published chats of training, id by id."""

import copy

import pytest
from PIL import Image

from minigpt4.processing.templates import chat_template
from minigpt4.training import PackingCollator, SequenceArguments, SequenceCollator, read_recipe, training_template


IMAGE = Image.new("RGB", (28, 28), "red")
CHAT = [
    {"role": "user", "content": "What is it?"},
    {"role": "assistant", "content": "A cat."},
    {"role": "user", "content": "Sure?"},
    {"role": "assistant", "content": "Yes."},
]


def collate(processor, rows, template="v2", **kwargs):
    return SequenceCollator(processor, SequenceArguments(training_template=template, **kwargs))(rows)


def test_v2_ends_every_answer(processor, pieces):
    batch = collate(processor, [{"images": [IMAGE], "messages": CHAT}])
    image = [processor.tokenizer.image_token_id] * 4
    first = [1, *pieces("[INST] <Img>"), *image, *pieces("</Img> What is it?  [/INST]")]
    answer, more, last = pieces("A cat."), [1, *pieces("[INST] Sure?  [/INST]")], pieces("Yes.")
    assert batch["input_ids"].tolist() == [[*first, *answer, 2, *more, *last, 2]]
    assert batch["labels"].tolist() == [[*[-100] * len(first), *answer, 2, *[-100] * len(more), *last, 2]]


def test_llama2(processor, pieces):
    batch = collate(processor, [{"images": [IMAGE], "messages": CHAT[:2]}], "llama2")
    learned = batch["input_ids"][batch["labels"] != -100].tolist()
    assert learned == [*pieces("A cat."), 2]
    prompt = batch["input_ids"][batch["labels"] == -100].tolist()
    image = [processor.tokenizer.image_token_id] * 4
    assert prompt == [1, *pieces("[INST] <Img>"), *image, *pieces("</Img> What is it? [/INST] ")]


def test_vicuna_is_stage_2_with_more_turns(processor, pieces):
    batch = collate(processor, [{"images": [IMAGE], "messages": CHAT}], "vicuna")
    image = [processor.tokenizer.image_token_id] * 4
    first = [1, *pieces("###Human: <Img>"), *image, *pieces("</Img> What is it? ###Assistant: ")]
    answer, more, last = pieces("A cat.###"), pieces("Human: Sure? ###Assistant: "), pieces("Yes.###")
    assert batch["input_ids"].tolist() == [[*first, *answer, *more, *last]]
    assert batch["labels"].tolist() == [[*[-100] * len(first), *answer, *[-100] * len(more), *last]]


@pytest.mark.parametrize("name", ["vicuna", "llama2", "v2"])
@pytest.mark.parametrize("recipe", ["own-folder", "lora", "qlora"])
def test_recipes_for_any_model_take_its_own_form(processor, name, recipe):
    """In which every answer ends, as in the published training."""
    row = {"images": [IMAGE], "messages": CHAT}
    own = copy.copy(processor)
    own.chat_template = chat_template(name)
    learned = SequenceCollator(own, read_recipe(recipe, bf16=False, use_cpu=True).sequence)
    published = SequenceCollator(own, SequenceArguments(training_template=name))
    assert learned.segments(row) == published.segments(row)


def test_a_form_of_its_own_is_learned_as_it_is(processor, pieces):
    own = copy.copy(processor)
    own.chat_template = processor.chat_template.replace("Give the following image", "Look at this")
    batch = collate(own, [{"images": [IMAGE], "messages": CHAT[:2]}], None)
    assert "Look at this" in processor.tokenizer.decode(batch["input_ids"][0])
    assert batch["input_ids"][batch["labels"] != -100].tolist() == pieces("A cat.###")


def test_no_image_one_and_several_in_one_batch(processor, model):
    rows = [
        {"images": [], "messages": CHAT},
        {"images": [IMAGE], "messages": CHAT},
        {"images": [IMAGE, IMAGE], "messages": CHAT},
        {"image": IMAGE, "text": "a cat"},
    ]
    batch = collate(processor, rows)
    assert batch["pixel_values"].shape[0] == 4
    placeholders = (batch["input_ids"] == processor.tokenizer.image_token_id).sum(1).tolist()
    assert placeholders == [0, 4, 8, 4]
    assert model(**batch).loss.isfinite()


def test_text_alone_has_no_pixels(processor):
    assert "pixel_values" not in collate(processor, [{"messages": CHAT}])


def test_placeholders_of_images_carry_no_loss(processor, pieces):
    ask = [{"type": "text", "text": "Show it."}]
    shows = [{"role": "user", "content": ask}, {"role": "assistant", "content": [{"type": "image"}]}]
    batch = collate(processor, [{"images": [IMAGE], "messages": shows}])
    assert batch["input_ids"][batch["labels"] != -100].tolist() == [*pieces("<Img>"), *pieces("</Img>"), 2]


def test_a_placeholder_without_its_image(processor):
    with pytest.raises(ValueError, match="has 0 images, but 1 <ImageHere>"):
        collate(processor, [{"messages": [{"role": "user", "content": "<ImageHere>"}, CHAT[1]]}])


def test_an_image_is_never_cut(processor):
    row = {"images": [IMAGE], "messages": CHAT, "row": 7, "epoch": 0}
    with pytest.raises(
        ValueError, match=r"Row 7 has .* in its first prompt, and max_context_length 10 would cut an i"
    ):
        collate(processor, [row], max_context_length=10)
    asked, shown = {"type": "text", "text": "What is it?"}, {"type": "image"}
    row["messages"] = [{"role": "user", "content": [asked]}, CHAT[1], {"role": "user", "content": [shown]}, CHAT[3]]
    with pytest.raises(ValueError, match=r"Row 7 has .* after its first prompt, and max_length 20 would cut an image"):
        collate(processor, [row], max_length=20)


def test_a_row_with_nothing_to_learn(processor):
    with pytest.raises(ValueError, match=r"Row 7 has nothing to learn: .* no assistant message that is learned"):
        collate(processor, [{"images": [IMAGE], "messages": CHAT[:1], "row": 7, "epoch": 0}])


@pytest.mark.parametrize("collator", [SequenceCollator, PackingCollator])
def test_what_follows_the_first_prompt_is_cut_at_max_length(processor, pieces, collator):
    """However long that prompt is: the published limit of 1024 leaves it out."""
    chat = [{"role": "user", "content": "why " * 400}, CHAT[1], CHAT[2], {"role": "assistant", "content": "so " * 400}]
    row = {"images": [IMAGE], "messages": chat}
    collate = collator(processor, SequenceArguments(training_template="v2"))
    image = [processor.tokenizer.image_token_id] * 4
    first = [1, *pieces("[INST] <Img>"), *image, *pieces(f"</Img> {'why ' * 400}  [/INST]")]
    answer, more = [*pieces("A cat."), 2], [1, *pieces("[INST] Sure?  [/INST]")]
    last = [*pieces("so " * 400), 2]
    kept = 1024 - len(answer) - len(more)
    assert len(first) > 1024
    assert len(last) > kept
    batch = collate([row])
    assert batch["input_ids"].tolist() == [[*first, *answer, *more, *last[:kept]]]
    assert batch["labels"].tolist() == [[*[-100] * len(first), *answer, *[-100] * len(more), *last[:kept]]]
    assert collate.count_cut(row) == len(last) - kept


def test_the_first_prompt_keeps_its_first_3800_tokens(processor, pieces):
    """As published, where `<s>` comes before them and is not counted."""
    row = {"images": [IMAGE], "messages": [{"role": "user", "content": "why " * 1000}, CHAT[1]]}
    image = [processor.tokenizer.image_token_id] * 4
    prompt = [*pieces("[INST] <Img>"), *image, *pieces(f"</Img> {'why ' * 1000}  [/INST]")]
    answer = [*pieces("A cat."), 2]
    batch = collate(processor, [row])
    assert batch["input_ids"].tolist() == [[1, *prompt[:3800], *answer]]
    assert batch["labels"].tolist() == [[*[-100] * 3801, *answer]]
    assert SequenceCollator(processor, SequenceArguments(training_template="v2")).count_cut(row) == len(prompt) - 3800


@pytest.mark.parametrize("name", ["max_answer_tokens", "max_length", "max_context_length"])
def test_a_limit_of_nothing(name):
    with pytest.raises(ValueError, match=rf"{name} must be at least 1 \(got 0\)\."):
        SequenceArguments(**{name: 0})


def test_prompts_of_numbered_rows_depend_on_nothing_else(processor):
    prompts = [f"<ImageHere>{letter}" for letter in "abcdefgh"]
    arguments = SequenceArguments(prompts=prompts)

    def drawn(seed, row, epoch):
        batch = SequenceCollator(processor, arguments, seed)(
            [{"image": IMAGE, "text": "x", "row": row, "epoch": epoch}]
        )
        return batch["input_ids"].tolist()

    assert drawn(0, 5, 0) == drawn(0, 5, 0)
    assert len({str(drawn(0, row, 0)) for row in range(40)}) == 8
    assert len({str(drawn(0, 5, epoch)) for epoch in range(40)}) == 8
    assert len({str(drawn(seed, 5, 0)) for seed in range(40)}) == 8


def test_templates_that_are_not_there(tmp_path):
    with pytest.raises(
        ValueError, match=r"no training template 'v3': give a \.jinja file, or one of llama2, v2, vicuna"
    ):
        training_template("v3")
    path = tmp_path / "own.jinja"
    path.write_text("{{ messages[0].content }}")
    with pytest.raises(ValueError, match="marks nothing as learned"):
        training_template(path)


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([{"role": "system", "content": "Be brief."}, *CHAT], "roles user and assistant, not system"),
        ("a cat", "not a chat"),
    ],
)
def test_messages_that_are_no_chat_are_named(processor, messages, why):
    with pytest.raises(ValueError, match=rf"Row 7 has messages .*{why}"):
        collate(processor, [{"images": [IMAGE], "messages": messages, "row": 7, "epoch": 0}])
