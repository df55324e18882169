"""A tiny SentencePiece model made like LLaMA's, and the original's way to ids, said again with sentencepiece itself."""

import re

import pytest
import sentencepiece

from minigpt4.processing import MiniGPT4ImageProcessorPil, MiniGPT4Processor, chat_template, load_llama_tokenizer


SENTENCES = [
    "The image shows a red circle left of a blue square.",
    "Describe this image in detail. ###Human: <Img></Img> ###Assistant: ",
    "[INST] what is this {<12><5><88><97>} [/INST]",
    "a photo of 3 cats, 27 dogs and  two   spaces",
    "Give the following image: <Img>ImageContent</Img>. You will be able to see the image once I provide it to you.",
]


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory):
    """A folder with a `tokenizer.model` that has LLaMA's settings and a few hundred pieces."""
    folder = tmp_path_factory.mktemp("llama")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 40),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=420,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        minloglevel=2,
    )
    return folder


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
