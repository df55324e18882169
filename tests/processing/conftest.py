"""A tiny SentencePiece model made like LLaMA's, and the original's way to ids, said again with sentencepiece itself."""

import re

import pytest
import sentencepiece
from helpers.published import write_tokenizer

from minigpt4.processing import MiniGPT4ImageProcessorPil, MiniGPT4Processor, chat_template, load_llama_tokenizer


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory):
    return write_tokenizer(tmp_path_factory.mktemp("llama")).parent


@pytest.fixture(scope="session")
def pieces(llama_folder):
    return sentencepiece.SentencePieceProcessor(str(llama_folder / "tokenizer.model"))


@pytest.fixture(scope="session")
def segment_ids(pieces):
    """Ids of one segment: special tokens split it, and each stretch between them is tokenized on its own."""
    special = {"<unk>": 0, "<s>": 1, "</s>": 2}

    def ids(text):
        parts = re.split("(<unk>|<s>|</s>)", text)
        return [token for part in parts for token in ([special[part]] if part in special else pieces.encode(part))]

    return ids


@pytest.fixture(scope="session")
def original_ids(segment_ids, pieces):
    """Ids of a prompt as the original makes them: `<s>`, then the segments, and an image between each two."""

    def ids(prompt, image_tokens=4):
        first, *rest = prompt.split("<ImageHere>")
        result = [1, *segment_ids(first)]
        for segment in rest:
            result += [pieces.get_piece_size()] * image_tokens + segment_ids(segment)
        return result

    return ids


@pytest.fixture(scope="session")
def tokenizer(llama_folder):
    return load_llama_tokenizer(llama_folder)


@pytest.fixture
def make_processor(llama_folder):
    def make(family="vicuna", **kwargs):
        kwargs = {"num_image_tokens": 4, "chat_template": chat_template(family), **kwargs}
        return MiniGPT4Processor(MiniGPT4ImageProcessorPil(size=28), load_llama_tokenizer(llama_folder), **kwargs)

    return make


@pytest.fixture
def processor(make_processor):
    return make_processor()
