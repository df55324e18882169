import json
import random
import shutil

import pytest
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer

from minigpt4.processing import exact_tokenizer, load_llama_tokenizer


SNIPPETS = [
    *(
        " ",
        "  ",
        "   ",
        "\n",
        "\n\n",
        "\t",
        "\r\n",
        "\u00a0",
        "▁",
        "\x00",
        "🙂",
        "é",
        "e\u0301",
        "漢字",
        "<",
        "s",
        ">",
        "<s",
        "/",
    ),
    *(
        "<s>",
        "</s>",
        "<unk>",
        "###",
        "####",
        "The",
        " image",
        "a",
        "aaa",
        " aaaa",
        "Des",
        "12345",
        "{<12><5>}",
        "'",
        "...",
    ),
    *("<Img>", "</Img>", "<0x0A>", "[INST]", "[/INST]", "###Assistant: ", "<p>", "<delim>"),
]


def fuzz(count):
    rng = random.Random(0)
    return ["".join(rng.choice(SNIPPETS) for _ in range(rng.randint(0, 14))) for _ in range(count)]


def test_ids_are_those_of_the_original(tokenizer, segment_ids):
    for text in fuzz(2000):
        assert tokenizer(text).input_ids == [1, *segment_ids(text)], repr(text)


def test_a_prompt_is_its_segments_in_a_row(tokenizer, segment_ids):
    for before, after in zip(fuzz(400)[::2], fuzz(400)[1::2], strict=True):
        expected = [1, *segment_ids(before), tokenizer.image_token_id, *segment_ids(after)]
        assert tokenizer(f"{before}<ImageHere>{after}").input_ids == expected, repr((before, after))


def test_a_space_at_the_end_is_a_token_of_its_own(tokenizer, pieces):
    assert tokenizer.convert_ids_to_tokens(tokenizer("a ").input_ids[-1]) == "▁"
    assert tokenizer("The", add_special_tokens=False).tokens()[0].startswith("▁")


def test_decoding_gives_the_text_back(tokenizer):
    for text in ("The image shows a red circle.", "漢字 🙂\n two  spaces", "12 {<3><4>}"):
        assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True) == text


def test_saved_and_loaded_it_is_the_same(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    texts = fuzz(300)
    assert again(texts).input_ids == tokenizer(texts).input_ids
    for name in ("image_token", "image_token_id", "pad_token", "bos_token", "eos_token", "padding_side"):
        assert getattr(again, name) == getattr(tokenizer, name)
    again.save_pretrained(tmp_path / "twice")
    assert AutoTokenizer.from_pretrained(tmp_path / "twice")(texts).input_ids == tokenizer(texts).input_ids


def test_the_vocabulary_grows_by_the_image_token_alone(tokenizer, pieces):
    assert len(tokenizer) == pieces.get_piece_size() + 1
    assert tokenizer.image_token_id == pieces.get_piece_size()


def test_padding_is_a_token_that_no_text_contains(tokenizer):
    assert tokenizer.pad_token == "<0xFF>"
    assert tokenizer.pad_token_id not in {tokenizer.unk_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id}
    assert all(tokenizer.pad_token_id not in tokenizer(text).input_ids for text in fuzz(500))
    batch = tokenizer(["a", "a photo of 3 cats"], padding=True)
    assert batch.input_ids[0][0] == tokenizer.pad_token_id
    assert batch.attention_mask[0][0] == 0


def test_vicuna_v0_has_a_row_for_padding(llama_folder, pieces, tmp_path):
    size = pieces.get_piece_size()
    shutil.copy(llama_folder / "tokenizer.model", tmp_path)
    (tmp_path / "added_tokens.json").write_text(json.dumps({"[PAD]": size}))
    for tokenizer in (load_llama_tokenizer(tmp_path), load_llama_tokenizer(llama_folder, vocab_size=size + 1)):
        assert (tokenizer.pad_token, tokenizer.pad_token_id) == ("[PAD]", size)
        assert tokenizer.image_token_id == size + 1


def test_a_tokenizer_of_another_model_is_refused(llama_folder, pieces, tmp_path):
    size = pieces.get_piece_size()
    with pytest.raises(ValueError, match=f"{size} tokens, but the language model has 32000 rows"):
        load_llama_tokenizer(llama_folder, vocab_size=32000)
    shutil.copy(llama_folder / "tokenizer.model", tmp_path)
    (tmp_path / "added_tokens.json").write_text('{"[PAD]": 32000}')
    with pytest.raises(ValueError, match=r"added_tokens.json gives '\[PAD\]' the id 32000"):
        load_llama_tokenizer(tmp_path)


def test_a_file_that_is_no_llama_tokenizer_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="No tokenizer at"):
        load_llama_tokenizer(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(b"\x89PNG nothing like it")
    with pytest.raises(ValueError, match="not a SentencePiece model"):
        load_llama_tokenizer(tmp_path)


def tiny_backend(*added):
    backend = Tokenizer(
        models.BPE(vocab={"<unk>": 0, "<s>": 1, "</s>": 2, "▁": 3, "a": 4}, merges=[], unk_token="<unk>")
    )
    backend.add_special_tokens(list(added))
    return backend


def test_any_bpe_vocabulary_with_metaspaces_can_be_wrapped():
    tokenizer = exact_tokenizer(tiny_backend("<pad>"), pad_token="<pad>", model_max_length=7)
    assert tokenizer("a <s>a<ImageHere>").tokens() == ["<s>", "▁", "a", "▁", "<s>", "▁", "a", "<ImageHere>"]
    assert (tokenizer.pad_token_id, tokenizer.image_token_id, tokenizer.model_max_length) == (5, 6, 7)


@pytest.mark.parametrize(
    ("added", "tokens", "message"),
    [
        ((), {"pad_token": "<unk>"}, "pad_token '<unk>' is already in use"),
        ((), {"pad_token": "</s>"}, "pad_token '</s>' is already in use"),
        ((), {"pad_token": "<pad>", "image_token": "<pad>"}, "image_token '<pad>' is already in use"),
        ((), {"pad_token": "<pad>", "bos_token": "<bos>"}, "bos_token '<bos>' is not in the vocabulary"),
        (("<ImageHere>", "<more>"), {"pad_token": "<pad>"}, "'<ImageHere>' has id 5 of 8, but must come last"),
    ],
)
def test_tokens_that_would_be_mistaken_are_refused(added, tokens, message):
    with pytest.raises(ValueError, match=message):
        exact_tokenizer(tiny_backend(*added), **tokens)
