"""Answers that end in token ids of their own, such as those of `###`: the end token follows, whoever generates."""

import json
import shutil
from itertools import pairwise

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE
from transformers import AutoModelForImageTextToText, AutoProcessor, AutoTokenizer, GenerationConfig

from minigpt4.modeling_minigpt4.ends_minigpt4 import end_sequences
from minigpt4.processing import exact_tokenizer


PROMPTS = ["abc", "some longer text", "xyz"]


@pytest.fixture
def checkpoint(tiny_checkpoint, tmp_path):
    return shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint")


@pytest.fixture
def model(tiny_checkpoint):
    return AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)


@pytest.fixture
def tokenizer(tiny_checkpoint):
    return AutoTokenizer.from_pretrained(tiny_checkpoint)


@pytest.fixture
def prompts(tokenizer):
    return tokenizer(PROMPTS, padding=True, return_tensors="pt")


def test_llamas_ids_are_the_published_ones():
    pieces = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"<0x{byte:02X}>": 3 + byte for byte in range(256)}
    # As they stand in LLaMA's vocabulary.
    pieces |= {
        "▁a": 263,
        "▁#": 396,
        "▁##": 444,
        "▁###": 835,
        "##": 2277,
        "▁": 29871,
        "a": 29874,
        ".": 29889,
        "#": 29937,
    }
    known = set(pieces.values())
    pieces |= {f"unused {index}": index for index in range(32000) if index not in known}
    merges = [("▁", "a"), ("▁", "#"), ("▁#", "#"), ("▁##", "#"), ("#", "#")]
    backend = Tokenizer(BPE(vocab=pieces, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer = exact_tokenizer(backend, pad_token="<0xFF>")
    assert end_sequences(tokenizer, ["###"]) == [[835], [2277, 29937]]


def free_answers(model, prompts, **settings) -> torch.Tensor:
    """Of 16 tokens, which no end cuts off."""
    width = prompts["input_ids"].shape[1]
    return model.generate(**prompts, max_new_tokens=16, **settings, eos_token_id=None)[:, width:]


def ended(row: list[int], sequences: list[list[int]], eos: int, pad: int) -> list[int]:
    """What becomes of a row of 16 tokens."""
    for length in range(1, len(row)):
        if any(row[:length][-len(sequence) :] == sequence for sequence in sequences):
            return [*row[:length], eos, *[pad] * (len(row) - length - 1)]
    return row


@pytest.mark.parametrize(
    "settings",
    [
        {"do_sample": False},
        {"do_sample": True, "top_k": 1},  # which leaves the end token no chance
        {"do_sample": True, "top_p": 0.0001, "temperature": 0.5},
        {"do_sample": False, "cache_implementation": "static"},
        {"do_sample": False, "use_cache": False},
        {"do_sample": False, "repetition_penalty": 1.3},
        {"do_sample": False, "renormalize_logits": True},
    ],
    ids=str,
)
def test_each_row_ends_by_itself(model, tokenizer, prompts, settings):
    free = free_answers(model, prompts, **settings).tolist()
    # One row ends in the middle, one later, and one not at all.
    model.generation_config.end_sequences = sequences = [free[0][6:8], free[1][9:12]]
    width = prompts["input_ids"].shape[1]
    answers = model.generate(**prompts, max_new_tokens=16, **settings)[:, width:].tolist()
    ids = tokenizer.eos_token_id, tokenizer.pad_token_id
    assert answers == [ended(row, sequences, *ids) for row in free]
    assert [ids[0] in row for row in answers] == [True, True, False]


@pytest.mark.parametrize(
    "settings", [{"num_beams": 3, "num_return_sequences": 2}, {"num_beams": 2, "do_sample": True}]
)
def test_beams(model, tokenizer, prompts, settings):
    free = free_answers(model, prompts, num_beams=3)
    model.generation_config.end_sequences = [[sequence] for sequence in free[:, 4].tolist()]
    torch.manual_seed(0)
    answers = model.generate(**prompts, max_new_tokens=16, **settings)[:, prompts["input_ids"].shape[1] :].tolist()
    marks, eos = free[:, 4].tolist(), tokenizer.eos_token_id
    assert any(set(row) & set(marks) for row in answers)
    for row in answers:
        for token, following in pairwise(row):
            assert token not in marks or following == eos
            assert token != eos or following == tokenizer.pad_token_id


def test_samples_of_one_prompt(model, tokenizer):
    prompt = tokenizer("abc", return_tensors="pt")
    settings = {"do_sample": True, "num_return_sequences": 8, "max_new_tokens": 16, "top_k": 0}
    torch.manual_seed(0)
    free = free_answers(model, prompt, do_sample=True, num_return_sequences=8, top_k=0)
    marks = free[:4, 3].tolist()
    torch.manual_seed(0)
    rows = model.generate(**prompt, **settings, end_sequences=[[mark] for mark in marks])[:, 5:].tolist()
    assert sum(tokenizer.eos_token_id in row for row in rows) >= 4
    assert all(
        following == tokenizer.eos_token_id for row in rows for token, following in pairwise(row) if token in marks
    )


@pytest.mark.parametrize("how", ["prompt lookup", "assistant"])
def test_candidates(model, tokenizer, tiny_checkpoint, how):
    prompt = tokenizer("abc abc abc", return_tensors="pt")
    free = free_answers(model, prompt)[0].tolist()
    model.generation_config.end_sequences = [free[5:8]]
    expected = model.generate(**prompt, max_new_tokens=16)
    assert expected[0, -1] == tokenizer.eos_token_id
    if how == "assistant":
        drafts = {"assistant_model": AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)}
    else:
        drafts = {"prompt_lookup_num_tokens": 4}
    assert torch.equal(model.generate(**prompt, max_new_tokens=16, **drafts), expected)


def test_what_stands_in_the_prompt_ends_nothing(model, tokenizer):
    prompt = tokenizer("abc###def###", return_tensors="pt")
    assert [*prompt["input_ids"][0, -3:].tolist()] in model.generation_config.end_sequences
    width = prompt["input_ids"].shape[1]
    assert model.generate(**prompt)[0, width] != tokenizer.eos_token_id


def test_no_end_before_min_new_tokens(model, tokenizer, prompts):
    free = free_answers(model, prompts)
    model.generation_config.end_sequences = sequences = [free[0, 2:4].tolist(), [free[1, 3].item()]]
    width = prompts["input_ids"].shape[1]
    answers = model.generate(**prompts, max_new_tokens=16, min_new_tokens=9)[:, width:].tolist()
    for row in answers:
        for length in range(1, 10):
            assert not any(row[:length][-len(sequence) :] == sequence for sequence in sequences)
        assert tokenizer.eos_token_id not in row[:9]


@pytest.mark.parametrize("given", ["nothing", "settings", "a configuration", "a configuration of all settings"])
def test_settings_of_the_caller_come_on_top(model, tokenizer, given):
    prompt = tokenizer("abc", return_tensors="pt")
    mark = free_answers(model, prompt)[0, 4:6].tolist()
    model.generation_config.end_sequences = [mark]
    settings = {
        "nothing": {},
        "settings": {"do_sample": False, "num_beams": 1},
        "a configuration": {"generation_config": GenerationConfig(do_sample=False)},
        "a configuration of all settings": {
            "generation_config": GenerationConfig(
                do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
            )
        },
    }[given]
    if "generation_config" in settings:
        settings["generation_config"].max_new_tokens = 12
    assert model.generate(**prompt, **settings)[0, 9:].tolist() == [*mark, tokenizer.eos_token_id]


def test_stop_strings_come_on_top(model, tokenizer, prompts, tiny_checkpoint):
    """Of the caller, with the processor in the tokenizer's place as `transformers serve` passes it, too."""
    model.generation_config.suppress_tokens = list(range(tokenizer.convert_tokens_to_ids("▁")))  # no bytes
    free = free_answers(model, prompts)
    model.generation_config.end_sequences = [free[0, 6:8].tolist()]
    string = tokenizer.decode(free[1, 3:5])
    width = prompts["input_ids"].shape[1]
    for passed in (tokenizer, AutoProcessor.from_pretrained(tiny_checkpoint)):
        rows = model.generate(**prompts, max_new_tokens=16, stop_strings=string, tokenizer=passed)[:, width:]
        first, second, _ = (tokenizer.decode(row, skip_special_tokens=True) for row in rows)
        assert rows[0, 8] == tokenizer.eos_token_id
        assert first == tokenizer.decode(free[0, :8])
        assert second.endswith(string)


def test_saved_and_loaded(model, tmp_path):
    model.generation_config.end_sequences = [[5], [6, 7]]
    model.save_pretrained(tmp_path)
    assert AutoModelForImageTextToText.from_pretrained(tmp_path).generation_config.end_sequences == [[5], [6, 7]]


def saved_before(checkpoint) -> None:
    """Turn a checkpoint into one of the time when `###` was a stop string."""
    file = checkpoint / "generation_config.json"
    settings = json.loads(file.read_text())
    del settings["end_sequences"]
    file.write_text(json.dumps(settings | {"stop_strings": ["###"]}))


@pytest.mark.parametrize("before", [False, True])
def test_a_checkpoint_in_a_subfolder(model, tokenizer, checkpoint, before):
    """And one that was saved with `###` as a stop string: it ends as others do, and is saved as they are."""
    if before:
        saved_before(checkpoint)
    loaded = AutoModelForImageTextToText.from_pretrained(checkpoint.parent, subfolder=checkpoint.name)
    assert loaded.generation_config.to_dict() == model.generation_config.to_dict()
    prompt = tokenizer("abc", return_tensors="pt")
    assert torch.equal(loaded.generate(**prompt), model.generate(**prompt))


def test_a_checkpoint_of_before_without_a_tokenizer(model, tokenizer, checkpoint):
    saved_before(checkpoint)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (checkpoint / name).unlink()
    loaded = AutoModelForImageTextToText.from_pretrained(checkpoint)
    with pytest.raises(ValueError, match="you must pass the model's tokenizer"):
        loaded.generate(torch.tensor([[1, 5]]))
    prompt = tokenizer("abc", return_tensors="pt")
    assert torch.equal(loaded.generate(**prompt, tokenizer=tokenizer), model.generate(**prompt))
