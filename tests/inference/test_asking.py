"""Questions to models of several kinds: alike alone and in a batch, and candidates ranked by their losses."""

import random

import pytest
import torch
from helpers.other_models import write_blip2, write_llava
from PIL import Image

from minigpt4.checkpoints.loading import load_any
from minigpt4.inference.answering import ContextLimitError
from minigpt4.inference.asking import Asker


KINDS = {
    "minigpt4": lambda folder, tiny: tiny,
    "blip2-opt": lambda folder, tiny: write_blip2(folder),
    "blip2-t5": lambda folder, tiny: write_blip2(folder, "t5"),
    "llava": lambda folder, tiny: write_llava(folder),
    "llava-plain": lambda folder, tiny: write_llava(folder, None),
}
TEXTS = ["Is it red?", "What is this thing over there?", "x"]
CANDIDATES = [["yes", "no"], ["a", "bbb", "cc"], ["q"]]


@pytest.fixture(scope="module", params=KINDS)
def asker(request, tmp_path_factory, tiny_checkpoint):
    folder = tmp_path_factory.mktemp("models") / request.param
    return Asker(*load_any(KINDS[request.param](folder, tiny_checkpoint)))


@pytest.fixture(scope="module")
def pictures():
    return [Image.frombytes("RGB", (40, 30), random.Random(seed).randbytes(3600)) for seed in range(3)]


def test_answers_are_alike_alone_and_in_a_batch(asker, pictures):
    settings = {"do_sample": False, "max_new_tokens": 6}
    together = asker.answers(TEXTS, pictures, **settings)
    alone = [asker.answers([text], [picture], **settings)[0] for text, picture in zip(TEXTS, pictures, strict=True)]
    assert together == alone
    other = asker.answers(TEXTS, pictures[::-1], **settings)
    assert [answer.ids for answer in together] != [answer.ids for answer in other]  # they look at the pictures


def test_losses_are_alike_alone_and_in_a_batch(asker, pictures):
    together, lengths = asker.losses(TEXTS, pictures, CANDIDATES)
    assert [[len(losses) for losses in row] for row in together] == [
        [asker.answer_length(candidate) for candidate in row] for row in CANDIDATES
    ]
    assert lengths[1] > lengths[0] > lengths[2]
    for text, picture, candidates, row in zip(TEXTS, pictures, CANDIDATES, together, strict=True):
        [alone], _ = asker.losses([text], [picture], [candidates])
        for losses, others in zip(row, alone, strict=True):
            assert losses == pytest.approx(others, abs=1e-3)


def test_losses_are_those_of_the_model(tiny_checkpoint, pictures):
    """The model's own loss over the same answer."""
    model, processor = load_any(tiny_checkpoint)
    [[losses]], _ = Asker(model, processor).losses(TEXTS[:1], pictures[:1], [["yes"]])
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": TEXTS[0]}]}]
    prompt = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    inputs = processor(images=pictures[:1], text=[prompt], return_tensors="pt")
    answer = processor.tokenizer("yes", add_special_tokens=False)["input_ids"] + [processor.tokenizer.eos_token_id]
    ids = torch.cat([inputs["input_ids"], torch.tensor([answer])], dim=1)
    labels = torch.full_like(ids, -100)
    labels[:, -len(answer) :] = torch.tensor(answer)
    with torch.no_grad():
        loss = model(input_ids=ids, pixel_values=inputs["pixel_values"], labels=labels).loss
    assert sum(losses) / len(losses) == pytest.approx(float(loss), abs=1e-4)


def test_a_question_that_is_too_long(tiny_checkpoint, pictures):
    asker = Asker(*load_any(tiny_checkpoint))
    with pytest.raises(ContextLimitError):
        asker.answers(["x" * 2000], pictures[:1])
