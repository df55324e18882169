"""Answers about pictures: the published prompt, its continuation with what was read kept, and models of other kinds."""

import pytest
from helpers.curation import run_all
from helpers.other_models import write_llava
from PIL import Image

from minigpt4.checkpoints.loading import load_any
from minigpt4.curation import Table
from minigpt4.curation.describing import CONTINUE_WORDS, WORDS, Describer
from minigpt4.curation.recipe import CONTINUE, PROMPT
from minigpt4.inference.answering import answer_batch
from minigpt4.processing import MiniGPT4Processor, chat_template


@pytest.fixture(scope="module")
def tiny(tiny_checkpoint):
    return load_any(str(tiny_checkpoint))


@pytest.fixture(scope="module")
def picture():
    return Image.effect_mandelbrot((40, 30), (-2, -1, 1, 1), 50).convert("RGB")


def test_published_prompts():
    assert WORDS == "Describe this image in detail. Give as many details as possible. Say everything you see."
    assert CONTINUE_WORDS == "Continue"


def test_default_is_the_published_prompt_as_it_stands(tiny, picture):
    model, processor = tiny
    inputs = processor(text=[PROMPT], images=[picture], return_tensors="pt")
    assert Describer(*tiny).describe([picture]) == answer_batch(model, processor, inputs)


def test_model_of_another_chat_form_is_asked_the_same_words_in_its_own(tiny):
    model, known = tiny
    processor = MiniGPT4Processor(known.image_processor, known.tokenizer, chat_template("llama2"), num_image_tokens=4)
    assert Describer(model, processor).prompt == WORDS


@pytest.mark.parametrize("prompt", [None, "What is this?"])
def test_continuations_are_second_turns_in_batches(tiny, picture, prompt):
    """All short answers at once, as each alone; long ones are left as they are."""
    model, _ = tiny
    describer = Describer(*tiny, prompt)
    pictures = [picture, picture.rotate(90), picture.rotate(180)]
    texts = ["A cat.", "A", "A very long answer, of which there is no need to ask for more."]
    read = []

    def count(module, args, kwargs):
        read.append(tuple(kwargs["input_ids"].shape if kwargs.get("input_ids") is not None else args[0].shape))

    hook = model.model.register_forward_pre_hook(count, with_kwargs=True)
    made = describer.go_on(pictures, texts, under=60, at_most=1)
    hook.remove()
    assert [shape[0] for shape in read if shape[1] > 1] == [2]  # one prompt of two rows
    assert [len(more) for more, _ in made] == [1, 1, 0]
    assert made[2] == ([], True)
    for (more, _), one, text in zip(made[:2], pictures, texts, strict=False):
        assert more == [again(describer, one, [text])]
    [(three, _)] = describer.go_on(pictures[:1], texts[:1], under=1000, at_most=3)
    assert three == [again(describer, picture, [texts[0], *three[:turn]]) for turn in range(3)]


def again(describer: Describer, picture, said: list[str]) -> str:
    """The next answer, with all that was said before read from the start."""
    model, processor = describer.model, describer.processor
    request = describer.continue_prompt(None)
    if describer.literal:
        text = describer.prompt + f"{request}".join(said) + request
        assert request == CONTINUE
    else:
        chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": describer.prompt}]}]
        for one in said:
            chat += [{"role": "assistant", "content": one}, {"role": "user", "content": request}]
        text = processor.apply_chat_template(chat, add_generation_prompt=True)
    inputs = processor(text=[text], images=[picture], return_tensors="pt")
    return answer_batch(model, processor, inputs)[0].text


def test_long_answers_are_not_continued(tiny, picture):
    describer = Describer(*tiny)
    assert describer.go_on([picture], ["long enough"], under=5, at_most=3) == [([], True)]
    assert describer.length("abc") == 4  # the tiny tokenizer: a mark, then letters


def test_any_other_model_that_answers_about_images(tmp_path, picture):
    model, processor = load_any(write_llava(tmp_path))
    describer = Describer(model, processor, settings={"max_new_tokens": 4, "do_sample": False})
    assert describer.prompt == WORDS
    two = describer.describe([picture, picture.rotate(90)])
    assert len(two) == 2
    assert len(describer.go_on([picture], ["a picture"], under=100, at_most=2)[0][0]) <= 2
    with pytest.raises(ValueError, match="one for other models has none"):
        Describer(model, processor, PROMPT)


def test_damaged_pictures_are_dropped_with_the_reason(recipe, pictures, tmp_path):
    import shutil

    folder = shutil.copytree(pictures, tmp_path / "copy")
    (folder / "1.png").write_bytes(b"no picture")
    counts = run_all(recipe(source={"images": str(folder), "sample": 12}))
    assert str(counts["generate"]).startswith("12 in, 11 out; 11 described; 1 drop (damaged image)")
    row = next(row for row in Table.open(tmp_path / "made").rows if row["image"] == "1.png")
    assert "1.png is not an image" in row["generate"]["details"]
