"""The rules of the filter: what each drops, and what it leaves alone."""

import pytest
import torch
from helpers.curation import LOOSE, run_all

from minigpt4.curation import Table
from minigpt4.curation.duplicates import similar_images, similar_texts
from minigpt4.curation.leftovers import leftovers
from minigpt4.evaluation.scenes import draw, sample_scenes


GOOD = (
    "The image shows a wooden boat on a lake with mountains behind it.",
    "A woman in a red coat walks her dog along a street in the rain.",
    "Two children play with a ball in front of a white house.",
)


def reasons(recipe, texts, tmp_path, *given, **rules) -> list[str]:
    run_all(recipe(generate=texts(*given), filter=LOOSE | rules))
    return [row["filter"]["reason"] for row in Table.open(tmp_path / "made").rows[: len(given)]]


@pytest.mark.parametrize(
    ("text", "rules", "reason"),
    [
        ("A cat sits on the mat. A dog runs there. A cat sits on the mat.", {"failures": True}, "repeated sentence"),
        ("There is a dog dog dog dog dog in the picture.", {"failures": True}, "repetition"),
        ("A cat sits on the mat, and beside it", {"failures": True}, "fragment"),
        ("Das Bild zeigt einen Hund, der auf einer Wiese liegt.", {"failures": True}, "other language"),
        ("A cat sits on the mat, and beside it", {"failures": ["repetition"]}, ""),
        ("I'm sorry, I cannot see the image clearly.", {"leftovers": True}, "leftover apology"),
        ("A cat on a mat. ###Human: Continue", {"leftovers": True}, "leftover prompt"),
        ("Here is the corrected paragraph: A cat on a mat.", {"leftovers": True}, "leftover remark"),
        ("A cat on a mat.", {"min_words": 6}, "too short"),
        ("A cat on a mat. " * 4, {"max_words": 15}, "too long"),
    ],
)
def test_each_rule(recipe, texts, tmp_path, text, rules, reason):
    assert reasons(recipe, texts, tmp_path, *GOOD, text, **rules) == ["", "", "", reason]


def test_several_reasons_are_all_kept(recipe, texts, tmp_path):
    [reason] = reasons(recipe, texts, tmp_path, "I'm sorry, I cannot", failures=True, leftovers=True, min_words=9)
    assert reason == "fragment, leftover apology, too short"


def test_an_answer_that_was_cut_off(recipe, tiny_checkpoint, tmp_path):
    """The tiny model never ends by itself within its twelve tokens."""
    run_all(
        recipe(source={"images": str(recipe().source.images), "sample": 2}, filter=LOOSE | {"failures": ["no_end"]})
    )
    assert {row["filter"]["reason"] for row in Table.open(tmp_path / "made").rows} == {"no end"}


@pytest.mark.parametrize(
    "text",
    [
        "A man in a suit is sorry for himself, a paragraph of text in front of him.",
        "The sign says 'I see you', and certainly the humans in the picture read it.",
        "An assistant hands the surgeon an instrument.",
    ],
)
def test_what_is_no_leftover(text):
    assert leftovers(text) == []


def test_similar_texts():
    texts = {str(number): text for number, text in enumerate(GOOD)}
    texts |= {
        "again": GOOD[0].lower(),
        "nearly": GOOD[1].replace("rain", "snow"),
        "other": "Another picture of a cat.",
    }
    assert similar_texts(texts, 0.95) == {"again": "0"}
    assert similar_texts(texts, 0.7) == {"again": "0", "nearly": "1"}


def test_similar_images_are_those_of_a_plain_search():
    generator = torch.Generator().manual_seed(0)
    bits = torch.randint(0, 2, (30, 64), generator=generator)
    near = bits.repeat_interleave(3, 0)
    near[1::3, 5] ^= 1
    near[2::3, [5, 60, 33]] ^= 1
    hashes = {str(n): f"{int(''.join(map(str, row.tolist())), 2):016x}" for n, row in enumerate(near)}
    for at_most in (0, 1, 2, 3):
        found = similar_images(hashes, at_most)
        kept: list[str] = []
        for name, own in hashes.items():
            like = [other for other in kept if (int(own, 16) ^ int(hashes[other], 16)).bit_count() <= at_most]
            assert found.get(name) == (like[0] if like else None)
            kept += [] if like else [name]


def test_near_duplicates_of_pictures(recipe, texts, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    image = draw(next(sample_scenes("pictures")), size=192)
    image.save(folder / "1.png")
    image.resize((150, 150)).save(folder / "2.jpg")
    image.rotate(90, expand=True).save(folder / "3.png")
    made = recipe(source={"images": str(folder)}, generate=texts(*GOOD), filter=LOOSE | {"similar_images": 4})
    run_all(made)
    rows = Table.open(tmp_path / "made").rows
    assert [row["filter"]["reason"] for row in rows] == ["", "similar image", ""]
    assert '"like": "1"' in rows[1]["filter"]["details"]


def test_score_of_image_and_text(recipe, texts, tmp_path):
    save_clip(tmp_path / "clip")
    rule = {"model": str(tmp_path / "clip"), "at_least": -1.0, "batch_size": 2}
    assert reasons(recipe, texts, tmp_path, *GOOD, score=rule) == ["", "", ""]
    assert reasons(recipe, texts, tmp_path, *GOOD, score=rule | {"at_least": 1.1}) == ["low score"] * 3


def save_clip(folder) -> None:
    """A tiny untrained CLIP with transformers' own classes."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor, PreTrainedTokenizerFast

    words = ["<pad>", "</s>", "<unk>", *dict.fromkeys(" ".join(GOOD).split())]
    core = Tokenizer(WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = WhitespaceSplit()
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {
        "vocab_size": len(words),
        "max_position_embeddings": 32,
        "eos_token_id": 1,
        "bos_token_id": 0,
        "pad_token_id": 0,
    }
    config = CLIPConfig(
        text_config={**small, **text}, vision_config={**small, "image_size": 28, "patch_size": 14}, projection_dim=8
    )
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=32
    )
    size = {"shortest_edge": 28}
    CLIPProcessor(CLIPImageProcessorPil(size=size, crop_size={"height": 28, "width": 28}), tokenizer).save_pretrained(
        folder
    )
